/** Who is a target is found by a hash of the process's number; targets that share it are told apart. */
import { closeSync, openSync, readSync } from "node:fs";
import { expect } from "chai";
import { readCounts, useProbe } from "../support/kernel.js";
import { samePlace } from "../support/places.js";
import { makeFile } from "../support/reader.js";

const READS = 50;

describe("a target among others whose numbers have the same hash", function () {
  this.timeout(20_000);
  const { addon, probe } = useProbe();
  const page = new Uint8Array(4096);
  let file: ReturnType<typeof makeFile>;
  let descriptor: number;

  before(() => {
    file = makeFile(page.length);
    descriptor = openSync(file.path, "r");
  });
  after(() => {
    closeSync(descriptor);
    file.remove();
  });

  const self = () =>
    probe()
      .tasks()
      .find(({ pid }) => pid === process.pid)?.tgid ?? 0;
  const others = (count: number) => samePlace(self(), count);

  /** Reads by this process, as counted while these are the targets. */
  function readsCounted(targets: readonly number[]): number {
    probe().setTargets([]);
    probe().setTargets(targets);
    const before = readCounts(addon(), probe());
    for (let i = 0; i < READS; i++) readSync(descriptor, page, 0, page.length, 0);
    return (readCounts(addon(), probe())["reads"] ?? 0) - (before["reads"] ?? 0);
  }

  it("is counted, whichever of them it is, up to as many as there may be", () => {
    for (const count of [0, 1, addon().targetsMax - 1]) {
      expect(readsCounted([...others(count), self()])).to.equal(READS);
      expect(readsCounted([self(), ...others(count)])).to.equal(READS);
    }
  });

  it("is not counted where only the others are targets", () => {
    for (const count of [1, 2, addon().targetsMax]) expect(readsCounted(others(count))).to.equal(0);
  });

  it("is counted again once the others are gone", () => {
    expect(readsCounted(others(2))).to.equal(0);
    expect(readsCounted([self()])).to.equal(READS);
  });
});
