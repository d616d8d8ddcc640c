/** The law that ties all counts to what /proc/PID/io says. */
import { expect } from "chai";
import { difference, readCounts, useProbe } from "../support/kernel.js";
import { makeFile, startReader } from "../support/reader.js";

const PAGE_BYTES = 4096;
const FETCHED = ["missed", "readahead", "prefetched", "faulted"].map((kind) => `pages_${kind}`);

describe("what the target has the storage fetch, in all ways at once", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();

  for (const bytes of [16384, 65536, 262144]) {
    it(`is pages and direct bytes to the byte, by ${bytes} bytes`, async () => {
      // Not a whole number of pages, so that the last block is read beyond the end.
      const file = makeFile((64 << 20) - 1234);
      const reader = await startReader(file.path, { pattern: "mixed", bytes, ops: 1600 });
      try {
        probe().setTargets([reader.pid]);
        const before = readCounts(addon(), probe());
        const truth = await reader.run();
        const counts = difference(readCounts(addon(), probe()), before);
        const pages = FETCHED.map((name) => counts[name] ?? 0);
        for (const [i, name] of FETCHED.entries()) expect(pages[i], name).to.be.greaterThan(0);
        expect(counts["direct_bytes"], "direct bytes").to.equal(truth.direct_bytes);
        const sum = pages.reduce((total, n) => total + n, 0) * PAGE_BYTES + truth.direct_bytes;
        expect(sum, "bytes fetched").to.equal(truth.storage_read_bytes);
      } finally {
        probe().setTargets([]);
        await reader.end();
        file.remove();
      }
    });
  }
});
