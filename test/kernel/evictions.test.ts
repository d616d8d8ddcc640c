import { execFileSync } from "node:child_process";
import { unlinkSync } from "node:fs";
import { expect } from "chai";
import { difference, evictedByOthers, readCounts, useProbe, type Counts } from "../support/kernel.js";
import { makeFile, residentPages, startReader } from "../support/reader.js";

const PAGE_BYTES = 4096;
const FILE_BYTES = 32 << 20;
const FILE_PAGES = FILE_BYTES / PAGE_BYTES;

describe("evictions of the target's files, whoever causes them", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();

  /** Lets a target read a whole file; then counts what `evict` does to it. */
  async function afterReading(evict: (path: string) => void): Promise<Counts> {
    const file = makeFile(FILE_BYTES);
    const reader = await startReader(file.path, {
      pattern: "sequential",
      bytes: 131072,
      ops: FILE_BYTES / 131072,
    });
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

  it("fadvise(DONTNEED) drops, and counts, exactly the clean pages that it covers and nobody has mapped", async () => {
    for (let attempt = 1; ; attempt++) {
      const file = makeFile(FILE_BYTES);
      const reader = await startReader(file.path, { pattern: "dontneed", bytes: 1, ops: 1 });
      probe().setTargets([reader.pid]);
      const before = readCounts(addon(), probe());
      const truth = await reader.runDontneed();
      const counts = difference(readCounts(addon(), probe()), before);
      probe().setTargets([]);
      await reader.end();
      file.remove();
      if ((evictedByOthers(counts) > 0 || truth.before !== FILE_PAGES) && attempt < 5) continue;
      const { clean, mapped, dirty } = truth;
      expect([clean[0] > 0, clean[1]]).to.deep.equal([true, 0]);
      expect([mapped[0] > 0, mapped[1]]).to.deep.equal([true, mapped[0]]);
      // What was dirty stays, unless the storage was so fast that it was clean before the kernel came to it.
      expect(truth.before - truth.after).to.equal(clean[0] + dirty[0] - dirty[1]);
      expect(evicted(counts)).to.deep.equal({ pages_evicted_hint: truth.before - truth.after });
      return;
    }
  });

  it("the causes add up to the pages that came and are no longer there", async () => {
    const file = makeFile(FILE_BYTES);
    const before = readCounts(addon(), probe());
    const counted = () => difference(readCounts(addon(), probe()), before);
    const sum = (counts: Counts) => Object.values(evicted(counts)).reduce((total, n) => total + n, 0);
    const readAll = async () => {
      const reader = await startReader(file.path, {
        pattern: "sequential",
        bytes: 131072,
        ops: FILE_BYTES / 131072,
      });
      probe().setTargets([reader.pid]);
      const truth = await reader.run();
      probe().setTargets([]);
      await reader.end();
      return truth.storage_read_bytes / PAGE_BYTES;
    };
    let came = 0;
    const expectConserved = (resident: number) => {
      const counts = counted();
      expect(counts["pages_added"]).to.equal(came);
      expect(sum(counts)).to.equal(came - resident);
    };
    came += await readAll();
    expectConserved(residentPages(file.path));
    execFileSync("truncate", ["-s", String(FILE_BYTES / 2), file.path]);
    expectConserved(residentPages(file.path));
    execFileSync("dd", [`if=${file.path}`, "iflag=nocache", "count=0", "status=none"]);
    expectConserved(residentPages(file.path));
    execFileSync("truncate", ["-s", String(FILE_BYTES), file.path]);
    file.remove();
    expectConserved(0);
    expect(Object.keys(evicted(counted()))).to.include.members([
      "pages_evicted_truncate",
      "pages_evicted_hint",
    ]);
  });

  it("evictions of files that the target never touched add nothing", async () => {
    const other = makeFile(FILE_BYTES);
    const counts = await afterReading(() => {
      execFileSync("cat", [other.path], { stdio: ["ignore", "ignore", "inherit"] });
      other.remove();
    });
    expect(evicted(counts)).to.deep.equal({});
  });
});
