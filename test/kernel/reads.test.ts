import { expect } from "chai";
import { trackCounts } from "../../src/model/counters.js";
import { parseMeasure } from "../../src/model/measure.js";
import { fieldValues, makeSample } from "../../src/model/tick.js";
import { readFileSync } from "node:fs";
import { difference, readCounts, useProbe, undisturbed, workOf, type Counts } from "../support/kernel.js";
import { packageRoot } from "../support/package-root.js";
import {
  makeFile,
  startReader,
  sumTruths,
  type Reader,
  type ReaderOptions,
  type Truth,
} from "../support/reader.js";

const MIB = 1 << 20;
interface Pattern extends ReaderOptions {
  readonly name: string;
  /** What many processes at once add nothing to. */
  readonly alone?: boolean;
}
const PATTERNS: readonly Pattern[] = [
  { name: "sequential reads of one page", pattern: "sequential", bytes: 4096, ops: 4000 },
  { name: "sequential reads that straddle pages", pattern: "sequential", bytes: 1000, ops: 4000 },
  { name: "sequential reads of 128 KiB", pattern: "sequential", bytes: 131072, ops: 1000 },
  { name: "random reads of 4 KiB", pattern: "random", bytes: 4096, ops: 2000 },
  { name: "unaligned reads of up to 64 KiB", pattern: "unaligned", bytes: 65536, ops: 1500 },
  { name: "unaligned reads of up to 300 KB", pattern: "unaligned", bytes: 300000, ops: 800 },
  { name: "reads over the end of the file", pattern: "eof", bytes: 20000, ops: 1500 },
  { name: "readv of 128 KiB", pattern: "sequential", bytes: 131072, ops: 500, call: "readv" },
  { name: "preadv of up to 300 KB", pattern: "unaligned", bytes: 300000, ops: 500, call: "preadv" },
  { name: "preadv2 of 4 KiB", pattern: "random", bytes: 4096, ops: 1000, call: "preadv2" },
  {
    name: "preadv of up to 300 KB into 1024 buffers",
    pattern: "unaligned",
    bytes: 300000,
    ops: 500,
    call: "preadv of 1024",
    alone: true,
  },
  { name: "sendfile of 4 KiB", pattern: "random", bytes: 4096, ops: 1000, call: "sendfile", alone: true },
  { name: "sendfile of up to 300 KB", pattern: "unaligned", bytes: 300000, ops: 500, call: "sendfile" },
  { name: "sendfile over the end", pattern: "eof", bytes: 100000, ops: 1000, call: "sendfile", alone: true },
  {
    name: "sendfile of 1 MiB from the file's position",
    pattern: "sequential",
    bytes: 1 << 20,
    ops: 100,
    call: "sendfile at position",
    alone: true,
  },
  {
    name: "sendfile of up to 300 KB into a pipe",
    pattern: "unaligned",
    bytes: 300000,
    ops: 500,
    call: "sendfile to pipe",
    alone: true,
  },
  { name: "splice of up to 300 KB", pattern: "unaligned", bytes: 300000, ops: 500, call: "splice" },
  // The kernel asks for a page more than the pipe takes, and tells nothing where that one comes late.
  {
    name: "splice into a full pipe of what is not all there",
    pattern: "torn",
    bytes: 69000,
    ops: 100,
    call: "splice",
  },
  { name: "splice over the end", pattern: "eof", bytes: 20000, ops: 1000, call: "splice", alone: true },
  {
    name: "copy_file_range of up to 300 KB",
    pattern: "unaligned",
    bytes: 300000,
    ops: 300,
    call: "copy_file_range",
    alone: true,
  },
  ...(["io_uring", "io_uring vector", "io_uring fixed", "io_uring worker"] as const).flatMap((call) => [
    { name: `${call} of 4 KiB`, pattern: "random", bytes: 4096, ops: 500, call, alone: true } as const,
    {
      name: `${call} of up to 300 KB`,
      pattern: "unaligned",
      bytes: 300000,
      ops: 300,
      call,
      alone: true,
    } as const,
  ]),
];

describe("reads of the target, against cachestat(2) before each read", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();

  /** Runs one reader per file; adds their truth to what the kernel counted meanwhile. */
  async function measure(files: readonly string[], options: ReaderOptions): Promise<Counts> {
    const readers = await Promise.all(files.map((file, i) => startReader(file, { ...options, seed: i + 1 })));
    try {
      probe().setTargets(readers.map(({ pid }) => pid));
      const before = readCounts(addon(), probe());
      const truth = sumTruths(await Promise.all(readers.map((reader) => reader.run())));
      const counts = difference(readCounts(addon(), probe()), before);
      probe().setTargets([]);
      return { ...counts, ...prefixed(truth) };
    } finally {
      await Promise.all(readers.map((reader) => reader.end()));
    }
  }

  for (const processes of [1, 8]) {
    describe(processes === 1 ? "by one process" : `by ${processes} processes with a file each`, () => {
      const files: ReturnType<typeof makeFile>[] = [];
      before(() => {
        // Not a whole number of pages, so that the last page is a partial one.
        for (let i = 0; i < processes; i++) files.push(makeFile((processes === 1 ? 64 : 24) * MIB - 1234));
      });
      after(() => {
        for (const file of files) file.remove();
      });

      for (const pattern of PATTERNS.filter(({ alone }) => processes === 1 || !alone)) {
        it(`${pattern.name} are counted to the page`, async () => {
          const counts = await undisturbed(() =>
            measure(
              files.map(({ path }) => path),
              { ...pattern, ops: workOf(pattern.ops) },
            ),
          );
          expectEqualToTruth(counts, addon().probeFeatures().pageBytes);
        });
      }
    });
  }

  it("a tick that falls into a read never has a ratio outside 0 to 100", async () => {
    const file = makeFile(64 * MIB);
    const reader = await startReader(file.path, { pattern: "unaligned", bytes: 300000, ops: workOf(2500) });
    try {
      probe().setTargets([reader.pid]);
      const rates = await ratesWhile(reader, 10);
      expect(rates.length).to.be.greaterThan(20);
      expect(rates.filter((rate) => !(rate >= 0 && rate <= 100))).to.deep.equal([]);
      expect(new Set(rates).size, "the rates differ, so something was measured").to.be.greaterThan(3);
    } finally {
      probe().setTargets([]);
      await reader.end();
      file.remove();
    }
  });

  async function ratesWhile(reader: Reader, intervalMs: number): Promise<number[]> {
    const measureSpec = parseMeasure(
      "page_cache.json",
      JSON.parse(readFileSync(`${packageRoot}/schema/page_cache.json`, "utf8")),
    );
    const rateFields = measureSpec.fields.flatMap((field, i) => (field.type === "float" ? [i] : []));
    const read = () => {
      const values = new BigUint64Array(addon().counterNames.length);
      probe().readCounters(values);
      return values;
    };
    const tracker = trackCounts({ names: addon().counterNames, components: 1 }, read());
    const rates: number[] = [];
    const timer = setInterval(() => {
      for (const { counts } of tracker.advance(read())) {
        const sample = makeSample(measureSpec, [], (name) => counts[tracker.names.indexOf(name)]);
        const values = fieldValues(sample, intervalMs);
        for (const i of rateFields) if (values[i] !== undefined) rates.push(values[i]);
      }
    }, intervalMs);
    await reader.run();
    clearInterval(timer);
    return rates;
  }

  it("pipes, sockets, /proc and memory files add nothing", async () => {
    const counts = await measure(["/dev/null"], { pattern: "pipes", bytes: 1, ops: 500 });
    expect(Object.entries(counts).filter(([, value]) => value !== 0)).to.deep.equal([]);
  });

  it("reads of a process that is not the target add nothing", async () => {
    const file = makeFile(8 * MIB);
    const [target, other] = await Promise.all([
      startReader(file.path, { pattern: "hold", bytes: 1, ops: 1 }),
      startReader(file.path, { pattern: "random", bytes: 4096, ops: 1000 }),
    ]);
    try {
      probe().setTargets([target.pid]);
      const before = readCounts(addon(), probe());
      const truth = await other.run();
      expect(truth.reads).to.equal(1000);
      const counts = difference(readCounts(addon(), probe()), before);
      expect(Object.entries(counts).filter(([, value]) => value !== 0)).to.deep.equal([]);
    } finally {
      probe().setTargets([]);
      await Promise.all([target.end(), other.end()]);
      file.remove();
    }
  });
});

const TRUTH = "truth of ";

function prefixed(truth: Truth): Counts {
  return Object.fromEntries(Object.entries(truth).map(([name, value]) => [TRUTH + name, Number(value)]));
}

function expectEqualToTruth(counts: Counts, pageBytes: number): void {
  const names = ["reads", "reads_missed", "pages_requested", "pages_missed", "read_bytes"];
  const counted = Object.fromEntries(names.map((name) => [name, counts[name]]));
  const truth = Object.fromEntries(names.map((name) => [name, counts[TRUTH + name]]));
  expect(counted).to.deep.equal(truth);
  expect(counts["reads"]).to.be.greaterThan(0);
  const sum = (...kinds: string[]) =>
    kinds.reduce((pages, kind) => pages + (counts[`pages_${kind}`] ?? 0), 0);
  const loaded = sum("missed", "readahead", "prefetched", "faulted");
  expect(loaded + sum("written")).to.equal(counts["pages_added"]);
  const fetched = counts[`${TRUTH}storage_read_bytes`] ?? 0;
  // To write, a file system may have to fetch the bitmap of its free blocks too.
  if (sum("written") > 0) expect(loaded * pageBytes).to.be.at.most(fetched);
  else expect(loaded * pageBytes).to.equal(fetched);
}
