/**
 * How long reads take, and the calls of fadvise, by each way that this kernel has for them. The truth is the reader's own
 * clock and its own calls, so all of it runs where there is no cachestat(2), too.
 */
import { expect } from "chai";
import type { NativeProbe } from "../../src/kernel/addon.js";
import { quantileBound } from "../../src/model/histogram.js";
import { difference, openProbe, readCounts, requireReads, undisturbed, workOf } from "../support/kernel.js";
import {
  BOUNDS,
  countOf,
  differenceOf,
  extrasBy,
  NOTHING,
  readHints,
  readTimes,
  WAYS,
  type Times,
} from "../support/parts.js";
import { killPrograms, startProgram } from "../support/programs.js";
import { makeFile, startReader } from "../support/reader.js";

const MIB = 1 << 20;
const OPS = workOf(1000);
const FILE_BYTES = 64 * MIB;

const addon = requireReads();
const facts = addon.probeFeatures();
const ways = WAYS.flatMap((way) => {
  const extras = extrasBy(way, facts);
  return extras ? [{ way, extras }] : [];
});

it("read latency and fadvise calls can be had by at least one way", () => {
  expect(ways.map(({ way }) => way)).to.include("syscall tracepoints");
});

for (const { way, extras } of ways) {
  describe(`by ${way}`, function () {
    this.timeout(300_000);
    let probe: NativeProbe;
    before(() => {
      probe = openProbe(addon, undefined, extras);
    });
    afterEach(killPrograms);
    after(() => {
      probe.close();
    });

    if (extras.programs.length > 0) {
      it("each call of fadvise is counted with what it asked for, whether it failed, and whether it did anything", async () => {
        const file = makeFile(8 * MIB + 1);
        const reader = await startProgram("timed-reader", [file.path, "advices", "0"]);
        probe.setTargets([reader.pid]);
        const before = readHints(addon, probe);
        const truth = await reader.work();
        const after = readHints(addon, probe);
        probe.setTargets([]);
        await reader.end();
        file.remove();
        const counted = Object.entries(after).map(([advice, counters]) => {
          const { calls, errors, pages_asked, pages_affected, calls_without_effect } = difference(
            counters,
            before[advice] ?? {},
          );
          return [advice, { calls, errors, pages_asked, pages_affected, calls_without_effect }];
        });
        expect(Object.fromEntries(counted)).to.deep.equal(truth);
      });
    }
    // A program can be attached to a trampoline only once before 5.13.
    if (extras.sampled.length === 0) return;

    const timedReader = (path: string) => startProgram("timed-reader", [path, "reads", String(OPS)]);
    /** Events that a program of the parts did not see. */
    const unseen = () =>
      probe
        .stats()
        .programs.filter(({ name }) => [...extras.programs, ...extras.sampled].includes(name))
        .reduce((sum, { recursionMisses }) => sum + Number(recursionMisses), 0);

    it("the time of each read is that which the reader takes itself", async () => {
      const file = makeFile(FILE_BYTES);
      let found: { kernel: Record<string, Times>; own: Record<string, Times> } | undefined;
      await undisturbed(async () => {
        const [reader, counts, before] = [
          await timedReader(file.path),
          readCounts(addon, probe),
          readTimes(addon, probe),
        ];
        probe.setTargets([reader.pid]);
        expect(probe.sample(true)).to.equal(true);
        const own = (await reader.work()) as Record<string, Times>;
        probe.sample(false);
        probe.setTargets([]);
        found = { kernel: differenceOf(readTimes(addon, probe), before), own };
        await reader.end();
        return difference(readCounts(addon, probe), counts);
      });
      file.remove();
      for (const outcome of ["hit", "missed"]) {
        const [kernel, own] = [found?.kernel[outcome] ?? NOTHING, found?.own[outcome] ?? NOTHING];
        expect(countOf(own), outcome).to.equal(OPS);
        expect(OPS - countOf(kernel), `${outcome}, not timed`).to.be.within(0, unseen());
        expectNeverLonger(kernel, own, OPS - countOf(kernel));
        const bounds = (percent: number) =>
          [kernel, own].map(({ buckets }) => quantileBound(BOUNDS, buckets, percent) ?? NaN);
        const [median = NaN, ownMedian = NaN] = bounds(50);
        expect(median, `p50 of ${outcome}`).to.be.within(ownMedian / 2, ownMedian);
        // The reader's clock goes on while others have its CPU, which on a busy machine is one read in ten.
        const [p90 = NaN, ownP90 = NaN] = bounds(90);
        expect(p90, `p90 of ${outcome}`).to.be.within(median, ownP90);
      }
    });

    it("reads are timed while it is attached, and none else", async () => {
      const file = makeFile(FILE_BYTES);
      const [first, second] = [await timedReader(file.path), await timedReader(file.path)];
      probe.setTargets([first.pid, second.pid]);
      const before = readTimes(addon, probe);
      expect(probe.sample(true)).to.equal(true);
      await first.work();
      probe.sample(false);
      const during = readTimes(addon, probe);
      await second.work();
      expect(readTimes(addon, probe)).to.deep.equal(during);
      probe.setTargets([]);
      await Promise.all([first.end(), second.end()]);
      file.remove();
      // Together: where others evict pages meanwhile, reads that were to hit miss.
      const timed = Object.values(differenceOf(during, before)).reduce(
        (sum, times) => sum + countOf(times),
        0,
      );
      expect(2 * OPS - timed, "not timed").to.be.within(0, unseen());
    });

    for (const call of ["sendfile", "splice", "copy_file_range", "io_uring", "io_uring worker"] as const) {
      it(`reads by ${call} are not timed, for they are more than one, or wait elsewhere`, async () => {
        const file = makeFile(4 * MIB);
        const reader = await startReader(file.path, { pattern: "cold", bytes: 100_000, ops: 4, call });
        probe.setTargets([reader.pid]);
        const before = readTimes(addon, probe);
        expect(probe.sample(true)).to.equal(true);
        const { reads } = await reader.run();
        probe.sample(false);
        probe.setTargets([]);
        await reader.end();
        file.remove();
        expect(reads).to.equal(4);
        expect(readTimes(addon, probe)).to.deep.equal(before);
      });
    }

    it("reads of pipes, sockets, /proc and memory files are not timed", async () => {
      const reader = await startReader("/dev/null", { pattern: "pipes", bytes: 1, ops: 500 });
      probe.setTargets([reader.pid]);
      const before = readTimes(addon, probe);
      expect(probe.sample(true)).to.equal(true);
      await reader.run();
      probe.sample(false);
      probe.setTargets([]);
      await reader.end();
      expect(readTimes(addon, probe)).to.deep.equal(before);
    });
  });
}

/** The reader's clock runs from before the call until after it, so of no bucket on may it have more reads below. */
function expectNeverLonger(kernel: Times, own: Times, lost: number): void {
  let difference = 0;
  kernel.buckets.forEach((reads, i) => {
    difference += reads - (own.buckets[i] ?? 0);
    expect(difference, `reads of at most 2^${i} µs`).to.be.at.least(-lost);
  });
  if (lost === 0) expect(kernel.sumNs).to.be.at.most(own.sumNs);
}
