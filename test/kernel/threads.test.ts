/** Many threads at once: they race for pages, and they preempt each other in the middle of a program. */
import { expect } from "chai";
import { difference, readCounts, undisturbed, useProbe, type Counts } from "../support/kernel.js";
import { startProgram } from "../support/programs.js";
import { makeFile } from "../support/reader.js";

const PAGE_BYTES = 4096;
const FILE_BYTES = (32 << 20) - 1234;
/** More than there are processors, so that they preempt each other. */
const STORM_THREADS = 6;
const STORM_READS = 30_000;

describe("reads of many threads of the target", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();
  let file: ReturnType<typeof makeFile>;

  before(() => {
    file = makeFile(FILE_BYTES);
  });
  after(() => {
    file.remove();
  });

  const missedEvents = () =>
    probe()
      .stats()
      .programs.reduce((sum, { recursionMisses }) => sum + Number(recursionMisses), 0) +
    (readCounts(addon(), probe())["events_without_state"] ?? 0);

  /** What was counted while they read; what they did, as `truth of ...`. */
  async function counted(pattern: "race" | "hot", threads: number, ops: number): Promise<Counts> {
    const readers = await startProgram("threads", [file.path, pattern, String(threads), String(ops)]);
    probe().setTargets([readers.pid]);
    const [before, missedBefore] = [readCounts(addon(), probe()), missedEvents()];
    const truth = (await readers.work()) as Record<string, number>;
    const counts = difference(readCounts(addon(), probe()), before);
    const missed = missedEvents() - missedBefore;
    probe().setTargets([]);
    await readers.end();
    const asTruth = Object.entries(truth).map(([name, value]) => [`truth of ${name}`, value] as const);
    return { ...counts, ...Object.fromEntries(asTruth), "missed events": missed };
  }

  function expectAsAsked(counts: Counts): void {
    for (const name of ["reads", "pages_requested", "read_bytes"]) {
      expect(counts[name], name).to.equal(counts[`truth of ${name}`]);
    }
  }

  it("that race on one file are as many as they were, and each page that came is missed or readahead", async () => {
    const counts = await undisturbed(() => counted("race", 8, 1000));
    expectAsAsked(counts);
    const { pages_missed: missed = 0, pages_readahead: ahead = 0, pages_added: added } = counts;
    expect([missed > 0, ahead > 0]).to.deep.equal([true, true]);
    expect(missed + ahead).to.equal(added);
    expect((missed + ahead) * PAGE_BYTES).to.equal(counts["truth of storage_read_bytes"]);
    expect(counts["reads_missed"]).to.be.within(1, counts["reads"] ?? 0);
  });

  it("that find everything in memory are all counted, though the threads preempt each other", async () => {
    const counts = await undisturbed(() => counted("hot", STORM_THREADS, STORM_READS));
    expectAsAsked(counts);
    expect([counts["reads"], counts["pages_missed"], counts["missed events"]]).to.deep.equal([
      STORM_THREADS * STORM_READS,
      0,
      0,
    ]);
  });

  it("are counted or known to be missed while a stranger updates a BPF map in a loop", async () => {
    const stranger = await startProgram("map-storm", []);
    try {
      const counts = await counted("hot", STORM_THREADS, STORM_READS);
      const { reads = 0, "missed events": missed = 0, "truth of reads": truth = 0 } = counts;
      expect(reads).to.be.at.most(truth);
      expect(reads + missed).to.be.at.least(truth);
    } finally {
      await stranger.end();
    }
  });
});
