/** The fields of the rows that an interval gives, against what the target did in it by its own account. */
import { expect } from "chai";
import type { Kernel } from "../../src/kernel/kernel.js";
import { quantileBound } from "../../src/model/histogram.js";
import { openTestedKernel, watched } from "../support/kernel.js";
import { BOUNDS, countOf, type Times } from "../support/parts.js";
import { compiled, killPrograms, startProgram, type Program } from "../support/programs.js";
import { makeFile, startReader, type HintTruth, type ReaderOptions, type Truth } from "../support/reader.js";
import { collectRows, type Row, type Rows } from "../support/rows.js";
import { SILENT } from "../support/silent-log.js";

const MIB = 1 << 20;
const PAGE_BYTES = 4096;
/** Something else may evict pages of the file (kdamond), or cachestat(2) be a page off: then it is tried again. */
const ATTEMPTS = 6;

/** As percentages are written: of three decimals. */
const percent = (part: number, whole: number) => Math.round((part / whole) * 100_000) / 1000;

describe("the rows of an interval", function () {
  this.timeout(300_000);
  let kernel: Kernel;
  let take: () => Rows;

  before(() => {
    const programs = ["reader", "timed-reader"].map((name) => compiled(name as "reader" | "timed-reader"));
    kernel = openTestedKernel([watched({ command: `^(${programs.join("|")}) ` })], SILENT);
    take = collectRows(kernel);
  });
  afterEach(killPrograms);
  after(() => {
    kernel.close();
  });

  /** The rows of what a program does, and what it says of it. */
  async function during(program: Program): Promise<{ rows: Rows; truth: unknown; elapsedMs: number }> {
    kernel.follow();
    take();
    const begin = performance.now();
    const truth = await program.work();
    const rows = take();
    const elapsedMs = performance.now() - begin;
    await program.end();
    return { rows, truth, elapsedMs };
  }

  async function reading(options: ReaderOptions, fileBytes: number): Promise<{ rows: Rows; truth: unknown }> {
    const file = makeFile(fileBytes);
    try {
      const reader = await startReader(file.path, options);
      return await during({ pid: reader.pid, work: () => reader.run(), end: () => reader.end() });
    } finally {
      file.remove();
    }
  }

  /** Holds rows against what is expected of them, once more where the truth was disturbed. */
  async function expectRows(attempt: () => Promise<readonly (readonly [Row, Row])[]>): Promise<void> {
    for (let left = ATTEMPTS; ; left--) {
      const pairs = await attempt();
      const same = pairs.every(([row, expected]) =>
        Object.entries(expected).every(([name, value]) => row[name] === value),
      );
      if (!same && left > 1) continue;
      for (const [row, expected] of pairs) expect(row).to.include(expected);
      return;
    }
  }

  /** The row of the whole target, and that of the one component, whose files nobody knows. */
  const both = (rows: Rows): Row[] => [rows.row("page_cache"), rows.row("page_cache_component", "unknown")];

  it("have reads, hits and rates as cachestat(2) says", () =>
    expectRows(async () => {
      const { rows, truth } = await reading(
        { pattern: "unaligned", bytes: 65536, ops: 600 },
        24 * MIB - 1234,
      );
      const { reads, reads_missed, pages_requested, pages_missed, read_bytes, storage_read_bytes } =
        truth as Truth;
      const expected = {
        reads,
        reads_missed,
        reads_hit: reads - reads_missed,
        pages_requested,
        pages_missed,
        pages_hit: pages_requested - pages_missed,
        read_bytes,
        pages_readahead: storage_read_bytes / PAGE_BYTES - pages_missed,
        pages_added: storage_read_bytes / PAGE_BYTES,
        pages_prefetched: 0,
        pages_faulted: 0,
        pages_written: 0,
        hit_rate_percent: percent(pages_requested - pages_missed, pages_requested),
        miss_rate_percent: percent(pages_missed, pages_requested),
        read_hit_rate_percent: percent(reads - reads_missed, reads),
      };
      expect(reads_missed).to.be.within(1, reads - 1);
      const [total = {}, component = {}] = both(rows);
      return [
        [total, { ...expected, storage_read_bytes, direct_bytes: 0 }],
        [component, expected],
        [rows.row("read_latency", "hit"), { reads: reads - reads_missed }],
        [rows.row("read_latency", "missed"), { reads: reads_missed }],
      ];
    }));

  it("have pages that came by faults on a mapping, and those alone", () =>
    expectRows(async () => {
      const { rows, truth } = await reading({ pattern: "touches", bytes: 1, ops: 60 }, 24 * MIB);
      const { pages_faulted, storage_read_bytes } = truth as Truth;
      const expected = { pages_faulted, pages_added: pages_faulted, pages_missed: 0, reads: 0 };
      const truths = [{ storage_read_bytes }, { storage_read_bytes: pages_faulted * PAGE_BYTES }] as const;
      return [truths, ...both(rows).map((row) => [row, expected] as const)];
    }));

  it("have pages that were written, and leave with their file", () =>
    expectRows(async () => {
      const { rows, truth } = await reading({ pattern: "writes", bytes: 10_000, ops: 300 }, 4096);
      const { pages_written } = truth as Truth;
      const expected = {
        pages_written,
        pages_added: pages_written,
        pages_evicted: pages_written,
        pages_evicted_truncate: pages_written,
        pages_evicted_hint: 0,
        pages_evicted_reclaim: 0,
        pages_evicted_other: 0,
        pages_readahead: 0,
      };
      const truths = [{ pages_written }, { pages_written: Math.ceil(3_000_000 / PAGE_BYTES) }] as const;
      return [truths, ...both(rows).map((row) => [row, expected] as const)];
    }));

  it("have what hints did to pages, and its shares", () =>
    expectRows(async () => {
      const file = makeFile(64 * MIB);
      const reader = await startReader(file.path, { pattern: "hints", bytes: 1, ops: 1 });
      const { rows, truth } = await during({
        pid: reader.pid,
        work: async () => {
          const found = await reader.runHints();
          // Its pages that nobody used are wasted when they go.
          file.remove();
          return found;
        },
        end: () => reader.end(),
      });
      const { loaded, used, late, dropped, refaulted } = truth as HintTruth;
      const willneed = {
        pages_affected: loaded,
        pages_used: used,
        pages_late: late,
        miss_rate_after_percent: percent(late, used + late),
      };
      const dontneed = {
        pages_affected: dropped,
        pages_refaulted: refaulted,
        refault_rate_percent: percent(refaulted, dropped),
      };
      const pages = { pages_prefetched: loaded, pages_refaulted: refaulted, pages_evicted_hint: dropped };
      return [
        [rows.row("fadvise", "willneed"), willneed],
        [rows.row("fadvise", "dontneed"), dontneed],
        ...both(rows).map((row) => [row, pages] as const),
      ];
    }));

  it("have each call of fadvise, its errors, and what it asked for", async () => {
    const file = makeFile(8 * MIB + 1);
    const { rows, truth } = await during(await startProgram("timed-reader", [file.path, "advices", "0"]));
    file.remove();
    for (const [advice, own] of Object.entries(truth as Record<string, Row>)) {
      const { calls = 0, errors = 0, pages_asked = 0 } = own;
      const row = rows.row("fadvise", advice);
      expect(row, advice).to.include(own);
      expect(row["success_rate_percent"], advice).to.equal(percent(calls - errors, calls));
      expect(row["effect_rate_percent"], advice).to.equal(
        pages_asked > 0 ? percent(row["pages_affected"] ?? NaN, pages_asked) : undefined,
      );
    }
  });

  it("have the times of reads as the reader's own clock says", async () => {
    const ops = 500;
    const once = async () => {
      const file = makeFile(64 * MIB);
      const found = await during(await startProgram("timed-reader", [file.path, "reads", String(ops)]));
      file.remove();
      return found;
    };
    let found = await once();
    const disturbed = () => (found.rows.row("page_cache")["pages_evicted_reclaim"] ?? 0) > 0;
    for (let left = ATTEMPTS; disturbed() && left > 1; left--) found = await once();
    const { rows, truth, elapsedMs } = found;
    for (const [outcome, own] of Object.entries(truth as Record<string, Times>)) {
      const row = rows.row("read_latency", outcome);
      const buckets = rows.all("read_latency_bucket").filter(({ tags }) => tags[0] === outcome);
      expect(row["reads"], outcome).to.equal(ops);
      expect(row["latency_sum_us"], outcome).to.be.within(own.sumNs / 4000, own.sumNs / 1000);
      expect(row["sampled_ms"], outcome).to.be.within(elapsedMs - 1000, elapsedMs + 1000);
      for (const share of [50, 90, 95, 99, 100]) {
        const name = share === 100 ? "max_us" : `p${share}_us`;
        const bound = quantileBound(BOUNDS, own.buckets, share) ?? NaN;
        // The reader's clock goes on while others have its CPU, which on a busy machine is one read in ten.
        expect(row[name], `${name} of ${outcome}`).to.be.within(share > 50 ? 1 : bound / 2, bound);
      }
      expect(buckets.reduce((sum, one) => sum + (one.row["reads"] ?? 0), 0)).to.equal(countOf(own));
      // Of each bucket the bound is a tag: up to it there are never less reads than by the reader's clock.
      let difference = 0;
      own.buckets.forEach((reads, i) => {
        const bucket = buckets.find(({ tags }) => tags[1] === String(2 ** i));
        difference += (bucket?.row["reads"] ?? 0) - reads;
        expect(difference, `reads of at most ${2 ** i} µs`).to.be.at.least(0);
      });
    }
  });
});
