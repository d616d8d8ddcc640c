import { expect } from "chai";
import type { NativeProbe } from "../../src/kernel/addon.js";
import { quantileBound } from "../../src/model/histogram.js";
import { difference, openProbe, readCounts, requireReads, undisturbed } from "../support/kernel.js";
import { extrasBy, readHints, readTimes, WAYS, type Times } from "../support/parts.js";
import { killPrograms, startProgram } from "../support/programs.js";
import { makeFile, startReader } from "../support/reader.js";

const MIB = 1 << 20;
const OPS = 1000;
const FILE_BYTES = 64 * MIB;

const addon = requireReads();
const facts = addon.probeFeatures();
const ways = WAYS.flatMap((way) => {
  const extras = extrasBy(way, facts);
  return extras ? [{ way, extras }] : [];
});

it("read latency and fadvise calls can be had by at least one way", () => {
  expect(ways.length).to.be.greaterThan(0);
});

for (const { way, extras } of ways) {
  describe(`by ${way}`, function () {
    this.timeout(120_000);
    let probe: NativeProbe;
    before(() => {
      probe = openProbe(addon, undefined, extras);
    });
    afterEach(killPrograms);
    after(() => {
      probe.close();
    });

    const count = ({ buckets }: Times) => buckets.reduce((sum, reads) => sum + reads, 0);
    const timed = (outcome: string) => count(readTimes(addon, probe)[outcome] ?? NOTHING);
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
          await startProgram("timed-reader", [file.path, "reads", String(OPS)]),
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
        expect(count(own), outcome).to.equal(OPS);
        expect(OPS - count(kernel), `${outcome}, not timed`).to.be.within(0, unseen());
        expectNeverLonger(kernel, own, OPS - count(kernel));
        for (const percent of [50, 90]) {
          const [ours, theirs] = [kernel, own].map(({ buckets }) => quantileBound(BOUNDS, buckets, percent));
          expect(ours, `p${percent} of ${outcome}`).to.be.within((theirs ?? NaN) / 2, theirs ?? NaN);
        }
      }
    });

    it("as many reads are timed as are counted, of both outcomes, while it is attached, and none else", async () => {
      const file = makeFile(24 * MIB - 1234);
      const options = { pattern: "unaligned", bytes: 65536, ops: 800 } as const;
      const [first, second] = [await startReader(file.path, options), await startReader(file.path, options)];
      probe.setTargets([first.pid, second.pid]);
      const [counts, hit, missed] = [readCounts(addon, probe), timed("hit"), timed("missed")];
      probe.sample(true);
      await first.run();
      probe.sample(false);
      const { reads = 0, reads_missed = 0 } = difference(readCounts(addon, probe), counts);
      const [hits, misses] = [timed("hit") - hit, timed("missed") - missed];
      await second.run();
      expect([timed("hit") - hit, timed("missed") - missed]).to.deep.equal([hits, misses]);
      probe.setTargets([]);
      await Promise.all([first.end(), second.end()]);
      file.remove();
      expect(reads).to.equal(options.ops);
      expect(reads_missed).to.be.within(1, reads - 1);
      expect(reads - hits - misses).to.be.within(0, unseen());
      expect(Math.abs(reads_missed - misses)).to.be.within(0, unseen());
    });

    it("reads of pipes, sockets, /proc and memory files are not timed", async () => {
      const reader = await startReader("/dev/null", { pattern: "pipes", bytes: 1, ops: 500 });
      probe.setTargets([reader.pid]);
      const before = readTimes(addon, probe);
      probe.sample(true);
      await reader.run();
      probe.sample(false);
      probe.setTargets([]);
      await reader.end();
      expect(readTimes(addon, probe)).to.deep.equal(before);
    });

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
        const { calls, errors, pages_asked, calls_without_effect } = difference(
          counters,
          before[advice] ?? {},
        );
        return [advice, { calls, errors, pages_asked, calls_without_effect }];
      });
      expect(Object.fromEntries(counted)).to.deep.equal(truth);
    });
  });
}

const NOTHING: Times = { buckets: [], sumNs: 0 };
const BOUNDS = Array.from({ length: addon.latencyBuckets }, (_, i) => 2 ** i);

function differenceOf(after: Record<string, Times>, before: Record<string, Times>): Record<string, Times> {
  return Object.fromEntries(
    Object.entries(after).map(([outcome, { buckets, sumNs }]) => {
      const earlier = before[outcome] ?? NOTHING;
      const added = buckets.map((reads, i) => reads - (earlier.buckets[i] ?? 0));
      return [outcome, { buckets: added, sumNs: sumNs - earlier.sumNs }];
    }),
  );
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
