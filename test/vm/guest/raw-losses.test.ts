/**
 * Raw tracepoints where they can be preempted (7.0 and later), which the sidecar does not choose by itself: what they
 * lose is told.
 */
import { expect } from "chai";
import { difference, readCounts, useProbe } from "../../support/kernel.js";
import { makeFile, startReader, sumTruths } from "../../support/reader.js";

/** On two processors: somebody always waits to run. */
const READERS = 6;

describe("raw tracepoints that can be preempted", function () {
  this.timeout(300_000);
  const { addon, probe } = useProbe();

  it("count no read that was not, and say of each that they lost", async () => {
    const files = Array.from({ length: READERS }, () => makeFile(4 << 20));
    const readers = await Promise.all(
      files.map(({ path }, i) =>
        startReader(path, { pattern: "random", bytes: 4096, ops: 2000, seed: i + 1 }),
      ),
    );
    probe().setTargets(readers.map(({ pid }) => pid));
    const before = readCounts(addon(), probe());
    const truth = sumTruths(await Promise.all(readers.map((reader) => reader.run())));
    const counts = difference(readCounts(addon(), probe()), before);
    await Promise.all(readers.map((reader) => reader.end()));
    for (const file of files) file.remove();

    const missed = probe()
      .stats()
      .programs.reduce((sum, one) => sum + Number(one.recursionMisses), 0);
    expect(counts["reads"]).to.be.within(truth.reads - missed, truth.reads);
    expect(counts["pages_missed"]).to.be.within(truth.pages_missed - missed, truth.pages_missed);
    expect(truth.reads).to.equal(READERS * 2000);
  });
});
