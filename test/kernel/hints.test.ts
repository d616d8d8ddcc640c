import { expect } from "chai";
import { readCounts, useProbe } from "../support/kernel.js";
import { makeFile, startReader } from "../support/reader.js";

const FILE_BYTES = 64 << 20;

describe("hints of the target, against cachestat(2) around each", function () {
  this.timeout(60_000);
  const { addon, probe } = useProbe();

  function hintCounts(advice: string): Record<string, number> {
    const advices = addon().identitiesMax * addon().adviceNames.length;
    const values = new BigUint64Array(advices * addon().hintNames.length);
    probe().readHints(values);
    const row = addon().adviceNames.indexOf(advice) * addon().hintNames.length;
    return Object.fromEntries(addon().hintNames.map((name, i) => [name, Number(values[row + i])]));
  }

  it("are known by what they did to pages", async () => {
    const file = makeFile(FILE_BYTES);
    const reader = await startReader(file.path, { pattern: "hints", bytes: 1, ops: 1 });
    probe().setTargets([reader.pid]);
    const truth = await reader.runHints();
    await reader.end();
    file.remove();
    const [willneed, dontneed] = [hintCounts("willneed"), hintCounts("dontneed")];
    expect(willneed).to.include({
      pages_affected: truth.loaded,
      pages_used: truth.used,
      pages_late: truth.late,
    });
    expect(dontneed).to.include({ pages_affected: truth.dropped, pages_refaulted: truth.refaulted });
    const counts = readCounts(addon(), probe());
    expect(counts).to.include({ pages_prefetched: truth.loaded, pages_refaulted: truth.refaulted });
    // The last hint's pages are wasted too, when the file is removed.
    expect(willneed["pages_wasted"]).to.equal(truth.loaded - truth.used);
  });
});
