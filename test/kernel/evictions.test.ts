import { execFileSync } from "node:child_process";
import { unlinkSync } from "node:fs";
import { expect } from "chai";
import { difference, evictedByOthers, readCounts, useProbe, type Counts } from "../support/kernel.js";
import { makeFile, startReader } from "../support/reader.js";

const PAGE_BYTES = 4096;
const FILE_BYTES = 8 << 20;
const FILE_PAGES = FILE_BYTES / PAGE_BYTES;

describe("evictions of the target's files, whoever causes them", function () {
  this.timeout(60_000);
  const { addon, probe } = useProbe();

  /** Lets a target read a whole file; then counts what `evict` does to it. */
  async function afterReading(evict: (path: string) => void): Promise<Counts> {
    const file = makeFile(FILE_BYTES);
    const reader = await startReader(file.path, { pattern: "sequential", bytes: 131072, ops: 64 });
    probe().setTargets([reader.pid]);
    await reader.run();
    await reader.end();
    probe().setTargets([]);
    const before = readCounts(addon(), probe());
    evict(file.path);
    const counts = difference(readCounts(addon(), probe()), before);
    try {
      file.remove();
    } catch {
      // `evict` has removed it.
    }
    return counts;
  }

  const evicted = (counts: Counts) =>
    Object.fromEntries(
      Object.entries(counts).filter(([name, pages]) => name.startsWith("pages_evicted") && pages !== 0),
    );

  /** kdamond may have taken some pages of the file before. */
  async function expectEvicted(cause: string, evict: (path: string) => void): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const counts = await afterReading(evict);
      const disturbed = evictedByOthers(counts) > 0 || counts[cause] !== FILE_PAGES;
      if (disturbed && attempt < 5) continue;
      expect(evicted(counts)).to.deep.equal({ [cause]: FILE_PAGES });
      return;
    }
  }

  it("unlink counts as truncation", () => expectEvicted("pages_evicted_truncate", unlinkSync));

  it("truncate by another process counts as truncation", () =>
    expectEvicted("pages_evicted_truncate", (path) => {
      execFileSync("truncate", ["-s", "0", path]);
    }));

  it("fadvise(DONTNEED) by another process counts as a hint", () =>
    expectEvicted("pages_evicted_hint", (path) => {
      execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
    }));

  it("evictions of files that the target never touched add nothing", async () => {
    const other = makeFile(FILE_BYTES);
    const counts = await afterReading(() => {
      execFileSync("cat", [other.path], { stdio: ["ignore", "ignore", "inherit"] });
      other.remove();
    });
    expect(evicted(counts)).to.deep.equal({});
  });
});
