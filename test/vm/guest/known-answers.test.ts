/**
 * Reads whose outcome is known beforehand, for kernels that cannot be asked what is in memory (cachestat(2) is
 * there since 6.5). The target is this process: it reads synchronously, and nothing else meanwhile.
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { expect } from "chai";
import type { NativeAddon, NativeProbe } from "../../../src/kernel/addon.js";
import { difference, openProbe, readCounts, requireReads, type Counts } from "../../support/kernel.js";
import { makeFile, startReader, type ReaderOptions } from "../../support/reader.js";

const PAGE_BYTES = 4096;
const FILE_PAGES = 4096;
/** The last page is a partial one. */
const FILE_BYTES = FILE_PAGES * PAGE_BYTES - 1234;
/** No read comes near another, so the kernel reads nothing ahead. */
const STRIDE_PAGES = 16;
const ISOLATED_READS = FILE_PAGES / STRIDE_PAGES - 1;
/** Odd and prime to their number: all are visited, and never one after its neighbour. */
const STEP = 101;
const NAMES = ["reads", "reads_missed", "pages_requested", "pages_missed", "read_bytes"] as const;

interface Read {
  readonly position: number;
  readonly bytes: number;
}

describe("reads with a known answer", function () {
  this.timeout(300_000);
  let addon: NativeAddon;
  let probe: NativeProbe;
  let file: ReturnType<typeof makeFile>;
  let fd: number;
  const buffer = Buffer.alloc(1 << 20);

  before(() => {
    addon = requireReads();
    probe = openProbe(addon);
    file = makeFile(FILE_BYTES);
    fd = openSync(file.path, "r");
  });
  after(() => {
    closeSync(fd);
    file.remove();
    probe.close();
  });
  beforeEach(dropFromMemory);

  function dropFromMemory(): void {
    execFileSync("dd", [`if=${file.path}`, "iflag=nocache", "count=0", "status=none"]);
  }

  /** What was counted during these reads, and the bytes that the storage gave for them. */
  function counted(reads: readonly Read[]): Counts {
    probe.setTargets([process.pid]);
    const [before, bytesBefore] = [readCounts(addon, probe), storageReadBytes()];
    for (const { position, bytes } of reads) readSync(fd, buffer, 0, bytes, position);
    const [after, bytesAfter] = [readCounts(addon, probe), storageReadBytes()];
    probe.setTargets([]);
    return { ...difference(after, before), "bytes of storage": bytesAfter - bytesBefore };
  }

  function expectCounts(counts: Counts, expected: Counts): void {
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, counts[name]]))).to.deep.equal(
      expected,
    );
  }

  const isolated = Array.from({ length: ISOLATED_READS }, (_, i) => ({
    position: ((((i + 1) * STEP) % ISOLATED_READS) + 1) * STRIDE_PAGES * PAGE_BYTES,
    bytes: PAGE_BYTES,
  }));

  it("of single pages that are not in memory miss each, and hit when they come again", () => {
    const reads = ISOLATED_READS;
    const asked = { reads, pages_requested: reads, read_bytes: reads * PAGE_BYTES };
    const bytes = reads * PAGE_BYTES;
    expectCounts(counted(isolated), {
      ...asked,
      pages_missed: reads,
      reads_missed: reads,
      "bytes of storage": bytes,
    });
    expectCounts(counted(isolated), { ...asked, pages_missed: 0, pages_added: 0, "bytes of storage": 0 });
  });

  it("that straddle two pages of which one is in memory miss the other", () => {
    counted(isolated);
    const straddling = isolated.map(({ position }) => ({ position: position + 1000, bytes: PAGE_BYTES }));
    const counts = counted(straddling);
    expectCounts(counts, {
      reads: ISOLATED_READS,
      pages_requested: 2 * ISOLATED_READS,
      reads_missed: ISOLATED_READS,
    });
    expectCounts(counts, { pages_missed: ISOLATED_READS });
  });

  it("over the end of the file ask for no page behind it", () => {
    const position = (FILE_PAGES - 1) * PAGE_BYTES + 100;
    const first = counted([{ position, bytes: 20_000 }]);
    expectCounts(first, { reads: 1, reads_missed: 1, pages_requested: 1, pages_missed: 1 });
    expectCounts(first, { read_bytes: FILE_BYTES - position });
    expectCounts(counted([{ position, bytes: 20_000 }]), { reads: 1, pages_requested: 1, pages_missed: 0 });
  });

  const calls: readonly NonNullable<ReaderOptions["call"]>[] = [
    "pread",
    "preadv of 1024",
    "sendfile",
    "splice",
    "copy_file_range",
  ];
  for (const call of calls) {
    it(`by ${call} of a part that is not in memory miss every page of it`, async () => {
      const reader = await startReader(file.path, { pattern: "cold", bytes: 200_000, ops: 8, call });
      probe.setTargets([reader.pid]);
      const before = readCounts(addon, probe);
      const { storage_read_bytes, ...truth } = await reader.run();
      const counts = difference(readCounts(addon, probe), before);
      probe.setTargets([]);
      await reader.end();
      expect(counts["reads"]).to.be.greaterThan(0);
      for (const name of NAMES) expect(counts[name], name).to.equal(truth[name]);
      expect(((counts["pages_missed"] ?? 0) + (counts["pages_readahead"] ?? 0)) * PAGE_BYTES).to.equal(
        storage_read_bytes,
      );
    });
  }

  it("in order add every page of the file once, missed or ahead", () => {
    const bytes = 131_072;
    const reads = Math.ceil(FILE_BYTES / bytes);
    const inOrder = Array.from({ length: reads }, (_, i) => ({ position: i * bytes, bytes }));
    const counts = counted(inOrder);
    expectCounts(counts, {
      reads,
      pages_requested: FILE_PAGES,
      read_bytes: FILE_BYTES,
      pages_added: FILE_PAGES,
    });
    expectCounts(counts, { "bytes of storage": FILE_PAGES * PAGE_BYTES });
    expect((counts["pages_missed"] ?? 0) + (counts["pages_readahead"] ?? 0)).to.equal(FILE_PAGES);
    expect(counts["reads_missed"]).to.be.within(1, reads);
    expectCounts(counted(inOrder), { reads, pages_requested: FILE_PAGES, pages_missed: 0, reads_missed: 0 });
  });
});

function storageReadBytes(): number {
  const [, bytes = ""] = /^read_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8")) ?? [];
  return Number(bytes);
}
