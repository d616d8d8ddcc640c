import { expect } from "chai";
import { startSampling } from "../../../src/kernel/latency-sampling.js";
import type { LatencyMode } from "../../../src/config/config.js";

/** Intervals of 1000 ms with 1 ms for each read-out; what was attached in each, and the sampled time after each. */
function run(mode: LatencyMode, intervals: number, possible = true) {
  let nowMs = 0;
  let attached = false;
  const attach = (on: boolean) => (attached = on && possible);
  const sampling = startSampling(mode, attach, () => nowMs);
  const course = Array.from({ length: intervals }, () => {
    const during = attached;
    nowMs += 1000;
    sampling.endInterval();
    const sampledMs = Number(sampling.sampledMs());
    nowMs += 1;
    sampling.nextInterval();
    return [during, sampledMs];
  });
  return { course, sampling, attached: () => attached };
}

describe("sampling of read latency", () => {
  it("times one interval in six, the first one too", () => {
    const { course } = run("sampled", 13);
    expect(course.map(([during]) => during)).to.deep.equal([
      ...[true, false, false, false, false, false],
      ...[true, false, false, false, false, false],
      true,
    ]);
    expect(course.map(([, ms]) => ms)).to.deep.equal([
      ...Array.from({ length: 6 }, () => 1000),
      ...Array.from({ length: 6 }, () => 2000),
      3000,
    ]);
  });

  it("times all where it is to, with no gap", () => {
    expect(run("always", 3).course).to.deep.equal([
      [true, 1000],
      [true, 2001],
      [true, 3002],
    ]);
  });

  it("times nothing where it is off, or cannot be", () => {
    for (const course of [run("off", 7).course, run("sampled", 7, false).course])
      expect(course.every(([during, ms]) => during === false && ms === 0)).to.equal(true);
  });

  it("times nothing more after the stop", () => {
    const { sampling, attached } = run("always", 1);
    sampling.stop();
    expect(attached()).to.equal(false);
    const stopped = run("sampled", 5);
    stopped.sampling.stop();
    stopped.sampling.nextInterval();
    expect(stopped.attached()).to.equal(false);
  });
});
