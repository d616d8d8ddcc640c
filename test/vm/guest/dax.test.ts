/**
 * Files on persistent memory that are read where they are (mount option dax), without the page cache. Such memory is
 * what the kernel is told to take for it (memmap, see processors.ts).
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmdirSync } from "node:fs";
import { expect } from "chai";
import { difference, readCounts, useProbe, type Counts } from "../../support/kernel.js";
import { makeFile, startReader, type Truth } from "../../support/reader.js";

const DEVICE = "/dev/pmem0";
const MOUNT = "/run/dax";
const FILE_BYTES = 16 << 20;
const READS = 5;

describe("reads of a file on persistent memory", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();
  before(() => {
    // A block has to be a page, or there is no DAX.
    execFileSync("mke2fs", ["-b", "4096", DEVICE], { stdio: "ignore" });
    mkdirSync(MOUNT, { recursive: true });
  });
  after(() => {
    rmdirSync(MOUNT);
  });

  /** What reads of a file that is not in memory are counted as, on a mount with this option. */
  async function readOn(option: string): Promise<{ readonly counts: Counts; readonly truth: Truth }> {
    execFileSync("mount", ["-t", "ext4", "-o", option, DEVICE, MOUNT]);
    const file = makeFile(FILE_BYTES, MOUNT);
    const reader = await startReader(file.path, { pattern: "cold", bytes: 200_000, ops: READS });
    try {
      probe().setTargets([reader.pid]);
      const before = readCounts(addon(), probe());
      const truth = await reader.run();
      return { counts: difference(readCounts(addon(), probe()), before), truth };
    } finally {
      probe().setTargets([]);
      await reader.end();
      file.remove();
      execFileSync("umount", [MOUNT]);
    }
  }

  it("are reads of the page cache where it is mounted without DAX", async () => {
    const { counts, truth } = await readOn("noatime");
    expect(truth).to.include({ reads: READS, reads_missed: READS });
    const { reads, reads_missed, pages_requested, pages_missed, read_bytes, storage_read_bytes } = truth;
    expect(counts).to.include({ reads, reads_missed, pages_requested, pages_missed, read_bytes });
    expect(storage_read_bytes).to.be.at.least(pages_missed * 4096);
  });

  it("add nothing where it is mounted with DAX, for neither the page cache nor the storage gives them", async () => {
    const { counts, truth } = await readOn("dax");
    expect(truth).to.include({ reads: READS, storage_read_bytes: 0 });
    expect(truth.read_bytes).to.be.greaterThan(0);
    expect(Object.entries(counts).filter(([, value]) => value !== 0)).to.deep.equal([]);
  });
});
