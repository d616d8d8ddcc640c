/** On kernels that have no disk: what the kernel counts of one reader's file in a shared folder. */
import { expect } from "chai";
import type { NativeAddon, NativeProbe } from "../../../src/kernel/addon.js";
import { difference, openProbe, readCounts, requireReads } from "../../support/kernel.js";
import { makeFile, startReader, type ReaderOptions } from "../../support/reader.js";

const PATTERNS: readonly (ReaderOptions & { readonly name: string })[] = [
  { name: "sequential reads of 128 KiB", pattern: "sequential", bytes: 131072, ops: 200 },
  { name: "random reads of 4 KiB", pattern: "random", bytes: 4096, ops: 1000 },
  { name: "unaligned reads of up to 300 KB", pattern: "unaligned", bytes: 300000, ops: 300 },
  { name: "reads over the end of the file", pattern: "eof", bytes: 20000, ops: 500 },
];
const NAMES = ["reads", "reads_missed", "pages_requested", "pages_missed", "read_bytes"] as const;

describe("reads of a file in a shared folder, against cachestat(2) before each read", function () {
  this.timeout(300_000);
  let addon: NativeAddon;
  let probe: NativeProbe;
  let file: ReturnType<typeof makeFile>;

  before(() => {
    addon = requireReads();
    probe = openProbe(addon);
    file = makeFile((16 << 20) - 1234);
  });
  after(() => {
    probe.close();
    file.remove();
  });

  for (const pattern of PATTERNS) {
    it(`${pattern.name} are counted to the page`, async () => {
      const reader = await startReader(file.path, pattern);
      probe.setTargets([reader.pid]);
      const before = readCounts(addon, probe);
      const truth = await reader.run();
      const counts = difference(readCounts(addon, probe), before);
      await reader.end();
      expect(counts["reads"]).to.be.greaterThan(0);
      for (const name of NAMES) expect(counts[name], name).to.equal(truth[name]);
    });
  }
});
