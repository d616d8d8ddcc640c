/**
 * Folios of more than one page, which ext4 makes for files since 6.16 and xfs since 5.18: the kernel's own trace says
 * how large each was, cachestat(2) how many of its pages were there.
 */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { expect } from "chai";
import { difference, evictedByOthers, readCounts, useProbe, workOf, type Counts } from "../support/kernel.js";
import { traceEvents } from "../support/kernel-trace.js";
import { makeFile, residentPages, startReader, type ReaderOptions, type Truth } from "../support/reader.js";

const PAGE_BYTES = 4096;
/** Not a whole number of pages. */
const FILE_BYTES = (32 << 20) - 1234;
const FILE_PAGES = Math.ceil(FILE_BYTES / PAGE_BYTES);
/** So many pages have to come in large folios at least, or the test shows nothing. */
const LEAST_LARGE_PAGES = 64;
/** Others may evict pages of the file (kdamond): then it is tried again. */
const ATTEMPTS = 8;

const PATTERNS: readonly (ReaderOptions & { readonly name: string })[] = [
  { name: "reads of 128 KiB in order", pattern: "sequential", bytes: 131072, ops: 256 },
  { name: "reads in order that straddle pages", pattern: "sequential", bytes: 1000, ops: 8000 },
  { name: "readv in order", pattern: "sequential", bytes: 131072, ops: 256, call: "readv" },
  { name: "unaligned reads of up to 300 KB", pattern: "unaligned", bytes: 300000, ops: 400 },
  {
    name: "sendfile of 1 MiB",
    pattern: "sequential",
    bytes: 1 << 20,
    ops: 32,
    call: "sendfile at position",
  },
  { name: "splice of 64 KiB in order", pattern: "sequential", bytes: 65536, ops: 512, call: "splice" },
];

/** A folio that was added. */
interface Folio {
  readonly index: number;
  readonly pages: number;
}

describe("large folios, against the kernel's trace and cachestat(2)", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();
  let file: ReturnType<typeof makeFile>;
  beforeEach(() => {
    file = makeFile(FILE_BYTES);
  });
  afterEach(() => {
    file.remove();
  });

  interface Run {
    readonly counts: Counts;
    readonly truth: Truth;
    readonly added: readonly Folio[];
    readonly removed: readonly Folio[];
  }

  /** Lets a reader work on the file; once more where others disturbed it. */
  async function run(options: ReaderOptions): Promise<Run> {
    for (let attempt = 1; ; attempt++) {
      const reader = await startReader(file.path, options);
      const [added, removed]: [Folio[], Folio[]] = [[], []];
      const trace = traceEvents([
        traced("mm_filemap_add_to_page_cache", added),
        traced("mm_filemap_delete_from_page_cache", removed),
      ]);
      try {
        probe().setTargets([reader.pid]);
        const before = readCounts(addon(), probe());
        const truth = await reader.run();
        const counts = difference(readCounts(addon(), probe()), before);
        await trace.settle();
        expect(trace.lost()).to.equal(0);
        if (evictedByOthers(counts) === 0) return { counts, truth, added, removed };
        if (attempt === ATTEMPTS) throw new Error(`others evicted pages in each of ${ATTEMPTS} attempts`);
      } finally {
        probe().setTargets([]);
        await reader.end();
        await trace.stop();
      }
    }
  }

  function traced(event: string, folios: Folio[]) {
    const { ino, dev } = statSync(file.path);
    return {
      event: `filemap/${event}`,
      filter: `i_ino == ${ino} && s_dev == ${kernelDevice(dev)}`,
      record: (text: string) => {
        const [, offset = "", order = ""] = /ofs=(\d+) order=(\d+)/.exec(text) ?? [];
        folios.push({ index: Number(offset) / PAGE_BYTES, pages: 2 ** Number(order) });
      },
    };
  }

  for (const { name, ...options } of PATTERNS) {
    it(`${name} are counted page by page`, async () => {
      const { counts, truth, added } = await run({ ...options, ops: workOf(options.ops) });
      expect(pagesOf(added.filter(isLarge))).to.be.at.least(LEAST_LARGE_PAGES);
      expect(counts).to.include({ ...readsOf(truth), pages_added: pagesOf(added) });
      expect((counts["pages_missed"] ?? 0) + (counts["pages_readahead"] ?? 0)).to.equal(pagesOf(added));
      expect(truth.storage_read_bytes).to.equal(pagesOf(added) * PAGE_BYTES);
    });
  }

  it("that a hint covers in part stay whole, and are hit again", async () => {
    const { counts, truth, added, removed } = await run({
      pattern: "parts",
      bytes: 400_000,
      ops: workOf(100),
    });
    expect(pagesOf(added.filter(isLarge))).to.be.at.least(LEAST_LARGE_PAGES);
    expect(truth.pages_kept).to.be.greaterThan(0);
    expect(truth.pages_dropped).to.equal(pagesOf(removed));
    expect(counts).to.include({ ...readsOf(truth), pages_evicted_hint: truth.pages_dropped });
    expect(counts).to.include({ pages_added: pagesOf(added), pages_evicted_truncate: 0 });
  });

  it("that a truncation cuts are split, and what is behind it is counted", async () => {
    const { added } = await run({
      pattern: "sequential",
      bytes: 131072,
      ops: Math.ceil(FILE_BYTES / 131072),
    });
    const cut = added.findLast(({ index, pages }) => pages >= 4 && index < FILE_PAGES / 2);
    if (cut === undefined) throw new Error("no large folio in the first half of the file");
    const [before, there] = [readCounts(addon(), probe()), residentPages(file.path)];
    execFileSync("truncate", ["-s", String((cut.index + 1) * PAGE_BYTES), file.path]);
    const [left, after] = [residentPages(file.path), readCounts(addon(), probe())];
    const counts = difference(after, before);
    expect(left).to.be.within(1, cut.index + 1);
    expect((counts["pages_evicted_truncate"] ?? 0) + evictedByOthers(counts)).to.equal(there - left);
    expect(there - left).to.be.greaterThan(FILE_PAGES / 4);
  });
});

const isLarge = ({ pages }: Folio) => pages > 1;
const pagesOf = (folios: readonly Folio[]) => folios.reduce((sum, { pages }) => sum + pages, 0);

const readsOf = ({ reads, reads_missed, pages_requested, pages_missed, read_bytes }: Truth) => ({
  ...{ reads, reads_missed, pages_requested, pages_missed, read_bytes },
});

/** As the kernel keeps what stat(2) tells: major << 20 | minor (include/linux/kdev_t.h; sysmacros.h). */
function kernelDevice(device: number): number {
  const [major, minor] = [(device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00)];
  return (major << 20) | minor;
}
