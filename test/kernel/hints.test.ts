import { expect } from "chai";
import { difference, readCounts, useProbe } from "../support/kernel.js";
import { makeFile, startReader } from "../support/reader.js";

const FILE_BYTES = 64 << 20;

describe("hints of the target, against cachestat(2) around each", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();

  function hintCounts(advice: string): Record<string, number> {
    const advices = addon().identitiesMax * addon().adviceNames.length;
    const values = new BigUint64Array(advices * addon().hintNames.length);
    probe().readHints(values);
    const row = addon().adviceNames.indexOf(advice) * addon().hintNames.length;
    return Object.fromEntries(addon().hintNames.map((name, i) => [name, Number(values[row + i])]));
  }

  /** What the reader knows of its hints, and what was counted of them. */
  async function oneRun() {
    const file = makeFile(FILE_BYTES);
    const reader = await startReader(file.path, { pattern: "hints", bytes: 1, ops: 1 });
    probe().setTargets([reader.pid]);
    const read = () => ({ ...readCounts(addon(), probe()), ...named("willneed"), ...named("dontneed") });
    const before = read();
    const truth = await reader.runHints();
    await reader.end();
    file.remove();
    const counted = difference(read(), before);
    const { loaded, used, late, dropped, refaulted } = truth;
    const expected = {
      willneed_pages_affected: loaded,
      willneed_pages_used: used,
      willneed_pages_late: late,
      // The last hint's pages are wasted too, when the file is removed.
      willneed_pages_wasted: loaded - used,
      dontneed_pages_affected: dropped,
      dontneed_pages_refaulted: refaulted,
      pages_prefetched: loaded,
      pages_refaulted: refaulted,
    };
    const same = Object.entries(expected).every(([name, value]) => counted[name] === value);
    return { counted, expected, same };
  }

  const named = (advice: string) =>
    Object.fromEntries(
      Object.entries(hintCounts(advice)).map(([name, value]) => [`${advice}_${name}`, value]),
    );

  it("are known by what they did to pages", async () => {
    // cachestat(2) is now and then some pages too low, and others may reclaim pages of the file: then once more.
    for (let attempt = 1; ; attempt++) {
      const { counted, expected, same } = await oneRun();
      if (!same && attempt < 5) continue;
      expect(counted).to.include(expected);
      return;
    }
  });
});
