import { expect } from "chai";
import { tickClock } from "../../../src/model/clock.js";

/** Ticks every 10 s of monotonic time; `stepsMs` are the steps of the wall clock before each tick. */
function timesFor(stepsMs: readonly number[]): { times: number[]; intervals: number[]; startMs: number } {
  const startMs = Date.UTC(2026, 0, 1);
  const next = tickClock({ wallMs: startMs, monotonicMs: 0 });
  let wallMs = startMs;
  const ticks = stepsMs.map((stepMs, i) => {
    wallMs += 10_000 + stepMs;
    return next({ wallMs, monotonicMs: (i + 1) * 10_000 });
  });
  return { times: ticks.map((t) => t.timestampMs), intervals: ticks.map((t) => t.intervalMs), startMs };
}

describe("tick clock", () => {
  it("follows a steady wall clock exactly", () => {
    const { times, startMs } = timesFor([0, 0, 0]);
    expect(times).to.deep.equal([startMs + 10_000, startMs + 20_000, startMs + 30_000]);
  });

  it("does not follow a step of the wall clock but by 0.5 % of the time that passes", () => {
    const { times, startMs } = timesFor([3_600_000, 0]);
    expect(times).to.deep.equal([startMs + 10_050, startMs + 20_100]);
  });

  it("strictly increases in whole milliseconds when the wall clock runs backwards", () => {
    const { times } = timesFor([-3_600_000, -5, 0, -86_400_000]);
    for (const [i, time] of times.entries()) {
      expect(Number.isInteger(time)).to.equal(true);
      if (i > 0) expect(time).to.be.greaterThan(times[i - 1] ?? Infinity);
    }
  });

  it("gives intervals that add up to the time between the first anchor and the last tick", () => {
    const { times, intervals, startMs } = timesFor([0, 700, -300, 123_456, 0]);
    expect(intervals.reduce((sum, ms) => sum + ms, 0)).to.equal((times.at(-1) ?? 0) - startMs);
  });

  it("separates two ticks of the same millisecond", () => {
    const next = tickClock({ wallMs: 1000, monotonicMs: 0 });
    const a = next({ wallMs: 1000.2, monotonicMs: 0.2 });
    const b = next({ wallMs: 1000.4, monotonicMs: 0.4 });
    expect(b.timestampMs).to.equal(a.timestampMs + 1);
  });
});
