import { expect } from "chai";
import { untilTickMs } from "../../../src/model/phase.js";

const INTERVAL_MS = 10_000;

describe("the phase of a node's ticks", () => {
  it("is the same whenever the sidecar starts", () => {
    const at = (wallMs: number) =>
      (wallMs + untilTickMs("host-a.example:17912", INTERVAL_MS, wallMs)) % INTERVAL_MS;
    const phases = [0, 1, 4999, 9999, 10_000, 1_764_000_003_217].map(at);
    expect(new Set(phases).size).to.equal(1);
  });

  it("is after now, by an interval at most", () => {
    for (let wallMs = 0; wallMs < 3 * INTERVAL_MS; wallMs += 7) {
      const delayMs = untilTickMs("n", INTERVAL_MS, wallMs);
      expect(delayMs).to.be.above(0).and.at.most(INTERVAL_MS);
    }
  });

  it("spreads a fleet that starts at once, whose names differ in a number only, over the whole interval", () => {
    const perSecond = new Array<number>(INTERVAL_MS / 1000).fill(0);
    for (let i = 0; i < 1000; i++) {
      const second = Math.floor((untilTickMs(`banyandb-data-${i}.svc:17912`, INTERVAL_MS, 5) - 1) / 1000);
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
    // 100 each; a herd would be 1000 in one.
    expect(Math.max(...perSecond)).to.be.at.most(150);
    expect(Math.min(...perSecond)).to.be.at.least(50);
  });
});
