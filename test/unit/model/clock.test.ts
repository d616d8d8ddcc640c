import { expect } from "chai";
import { tickClock } from "../../../src/model/clock.js";

/** Ticks every 10 s of monotonic time; `stepsMs` are the steps of the wall clock before each tick. */
function timesFor(stepsMs: readonly number[]): { times: number[]; intervals: number[]; startMs: number } {
  const startMs = Date.UTC(2026, 0, 1);
  const clock = tickClock({ wallMs: startMs, monotonicMs: 0 });
  let wallMs = startMs;
  const ticks = stepsMs.map((stepMs, i) => {
    wallMs += 10_000 + stepMs;
    return clock.next({ wallMs, monotonicMs: (i + 1) * 10_000 });
  });
  return { times: ticks.map((t) => t.timestampMs), intervals: ticks.map((t) => t.intervalMs), startMs };
}

describe("tick clock", () => {
  it("follows a steady wall clock exactly", () => {
    const { times, startMs } = timesFor([0, 0, 0]);
    expect(times).to.deep.equal([startMs + 10_000, startMs + 20_000, startMs + 30_000]);
  });

  it("follows a wall clock that is off by 0.5 % of the time that passes", () => {
    const { times, startMs } = timesFor([200_000, 0]);
    expect(times).to.deep.equal([startMs + 10_050, startMs + 20_100]);
  });

  it("does not follow a step of more than 5 minutes at all, forwards or backwards", () => {
    for (const stepMs of [3_600_000, -3_600_000, 30 * 86_400_000]) {
      const { times, startMs } = timesFor([stepMs, 0]);
      expect(times).to.deep.equal([startMs + 10_000, startMs + 20_000]);
    }
  });

  it("is shifted where it was wrong, without a gap in the intervals", () => {
    const clock = tickClock({ wallMs: 1_000_000, monotonicMs: 0 });
    clock.next({ wallMs: 1_010_000, monotonicMs: 10_000 });
    clock.shift(-500_000);
    const now = { wallMs: 520_000, monotonicMs: 20_000 };
    expect(clock.at(now)).to.equal(520_000);
    expect(clock.next(now)).to.deep.equal({ timestampMs: 520_000, intervalMs: 10_000 });
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
    const clock = tickClock({ wallMs: 1000, monotonicMs: 0 });
    const a = clock.next({ wallMs: 1000.2, monotonicMs: 0.2 });
    const b = clock.next({ wallMs: 1000.4, monotonicMs: 0.4 });
    expect(b.timestampMs).to.equal(a.timestampMs + 1);
  });

  it("goes on after the ticks of a process before it, and its first interval has the time that no tick covers", () => {
    const clock = tickClock({ wallMs: 50_000, monotonicMs: 0 }, { lastTimestampMs: 20_000, owedMs: 7_000 });
    expect(clock.next({ wallMs: 60_000, monotonicMs: 10_000 })).to.deep.equal({
      timestampMs: 60_000,
      intervalMs: 40_000 + 7_000,
    });
    expect(clock.next({ wallMs: 70_000, monotonicMs: 20_000 })).to.deep.equal({
      timestampMs: 70_000,
      intervalMs: 10_000,
    });
  });

  it("begins anew where the ticks before it lie ahead of the wall clock, which was set back", () => {
    const clock = tickClock({ wallMs: 50_000, monotonicMs: 0 }, { lastTimestampMs: 90_000, owedMs: 7_000 });
    expect(clock.next({ wallMs: 60_000, monotonicMs: 10_000 })).to.deep.equal({
      timestampMs: 60_000,
      intervalMs: 10_000,
    });
  });
});
