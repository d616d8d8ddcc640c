/**
 * Tier partial, where nothing sees reads: what it counts is exact, and what it cannot see is absent. The target is
 * this process, which reads what was not in memory before: so the answers are known on every kernel.
 */
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, readSync } from "node:fs";
import { expect } from "chai";
import { loadAddon, type NativeProbe } from "../../../src/kernel/addon.js";
import { availableCounters, choosePrograms } from "../../../src/kernel/choose.js";
import { difference, evictedByOthers, readCounts, type Counts } from "../../support/kernel.js";
import { packageRoot } from "../../support/package-root.js";
import { makeFile } from "../../support/reader.js";

const PAGE_BYTES = 4096;
const FILE_PAGES = 4096;
/** No read comes near another, so the kernel reads nothing ahead. */
const STRIDE_PAGES = 16;
const READS = FILE_PAGES / STRIDE_PAGES - 1;
/** Odd and prime to their number: all are visited, and never one after its neighbour. */
const STEP = 101;
/** Something else may evict pages of the file (kdamond): then it is tried again. */
const ATTEMPTS = 8;

describe("tier partial, where no hook sees reads", function () {
  this.timeout(300_000);
  const addon = loadAddon(packageRoot);
  let probe: NativeProbe;
  let file: ReturnType<typeof makeFile>;
  let fd: number;
  const buffer = Buffer.alloc(1 << 17);

  before(() => {
    const choice = choosePrograms(addon.probeFeatures(), "partial");
    expect(choice.tier).to.equal("partial");
    probe = addon.open({ programs: choice.programs });
    file = makeFile(FILE_PAGES * PAGE_BYTES);
    fd = openSync(file.path, "r+");
  });
  after(() => {
    closeSync(fd);
    file.remove();
    probe.close();
  });

  /** What was counted while this process did something, with nothing of the file in memory before. */
  function counted(act: () => void, prepare: () => void = () => undefined): Counts {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      execFileSync("dd", [`if=${file.path}`, "iflag=nocache", "count=0", "status=none"]);
      prepare();
      probe.setTargets([process.pid]);
      const [before, bytesBefore] = [readCounts(addon, probe), storageReadBytes()];
      act();
      const [after, bytesAfter] = [readCounts(addon, probe), storageReadBytes()];
      probe.setTargets([]);
      const counts = difference(after, before);
      if (evictedByOthers(counts) === 0) return { ...counts, "bytes of storage": bytesAfter - bytesBefore };
    }
    throw new Error(`others evicted pages of the file in each of ${ATTEMPTS} attempts`);
  }

  const read = (page: number, bytes = PAGE_BYTES) => readSync(fd, buffer, 0, bytes, page * PAGE_BYTES);
  const apart = () => {
    for (let i = 1; i <= READS; i++) read((((i * STEP) % READS) + 1) * STRIDE_PAGES);
  };
  const wholeFile = () => {
    for (let page = 0; page < FILE_PAGES; page += 32) read(page, 32 * PAGE_BYTES);
  };

  it("counts each page that was not in memory, and those that are there a second time not", () => {
    expect(counted(apart)).to.include({
      pages_missed: READS,
      reads_missed: READS,
      pages_readahead: 0,
      pages_added: READS,
      "bytes of storage": READS * PAGE_BYTES,
    });
    expect(counted(apart, apart)).to.include({ pages_missed: 0, pages_added: 0, "bytes of storage": 0 });
  });

  it("counts every page of a file that is read in order once, missed or ahead", () => {
    const counts = counted(wholeFile);
    expect(counts).to.include({ pages_added: FILE_PAGES, "bytes of storage": FILE_PAGES * PAGE_BYTES });
    expect((counts["pages_missed"] ?? 0) + (counts["pages_readahead"] ?? 0)).to.equal(FILE_PAGES);
    expect(counts["pages_missed"]).to.be.within(1, FILE_PAGES);
  });

  it("counts what leaves, by cause", () => {
    const truncate = () => {
      ftruncateSync(fd, 0);
    };
    const counts = counted(truncate, () => {
      ftruncateSync(fd, FILE_PAGES * PAGE_BYTES);
      wholeFile();
    });
    expect(counts).to.include({ pages_evicted_truncate: FILE_PAGES, pages_evicted_other: 0 });
  });

  it("has no requested pages, no hits and no reads, rather than 0", () => {
    const attached = new Set(probe.programs.filter((p) => p.attached).map(({ name }) => name));
    const available = availableCounters(attached);
    for (const name of ["reads", "reads_hit", "pages_requested", "pages_hit", "read_bytes"])
      expect(available.has(name), name).to.equal(false);
    for (const name of ["reads_missed", "pages_missed", "pages_added", "pages_evicted_truncate"])
      expect(available.has(name), name).to.equal(true);
  });
});

function storageReadBytes(): number {
  const [, bytes = ""] = /^read_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8")) ?? [];
  return Number(bytes);
}
