import { expect } from "chai";
import { watchChanges } from "../../../src/kernel/process-changes.js";

describe("looks for the targets' processes", () => {
  /** Seconds of a minute in which it was looked; `count` tells the changes until then. */
  function looks(
    count: (second: number) => number | undefined,
    fails: (second: number) => boolean = () => false,
  ): number[] {
    let second = 0;
    const changes = watchChanges(() => count(second));
    const seen: number[] = [];
    for (; second < 30; second++) {
      if (!changes.isDue(second * 1000)) continue;
      seen.push(second);
      if (!fails(second)) changes.looked();
    }
    return seen;
  }

  it("are made every ten seconds where nothing changes", () => {
    expect(looks(() => 5)).to.deep.equal([0, 1, 11, 21]);
  });

  it("are made at once and once more where a process executed or ended", () => {
    expect(looks((second) => (second < 5 ? 0 : 1))).to.deep.equal([0, 1, 5, 6, 16, 26]);
  });

  it("are made every second while processes come and go, or where nobody counts that", () => {
    const all = Array.from({ length: 30 }, (_, second) => second);
    expect(looks((second) => second)).to.deep.equal(all);
    expect(looks(() => undefined)).to.deep.equal(all);
  });

  it("are made again until one goes well", () => {
    const fails = (second: number) => second >= 5 && second < 8;
    expect(looks((second) => (second < 5 ? 0 : 1), fails)).to.deep.equal([0, 1, 5, 6, 7, 8, 9, 19, 29]);
  });

  it("see what changes during a look", () => {
    let count = 0;
    const changes = watchChanges(() => count);
    expect(changes.isDue(0)).to.equal(true);
    count++;
    changes.looked();
    expect(changes.isDue(1000)).to.equal(true);
  });
});
