import { expect } from "chai";
import { continueFiles, type FileMemory } from "../../../src/kernel/continued-files.js";
import type { PressureFiles } from "../../../src/kernel/pressure-files.js";

const files = (refaults: bigint | undefined): PressureFiles => ({
  psiSomeUs: undefined,
  psiFullUs: undefined,
  refaults,
});

describe("numbers of the kernel's files that go on after a restart", () => {
  it("count from the first look on, not from the beginning of the file", () => {
    const continued = continueFiles();
    expect([1000n, 1000n, 1007n].map((read) => continued.count(files(read)).refaults)).to.deep.equal([
      0n,
      0n,
      7n,
    ]);
  });

  it("have what grew while no sidecar was there", () => {
    const before = continueFiles();
    before.count(files(1000n));
    before.count(files(1005n));
    // As the journal keeps it.
    const memory = JSON.parse(JSON.stringify(before.memory())) as FileMemory;
    expect(continueFiles(memory).count(files(1025n)).refaults).to.equal(25n);
  });

  it("begin at 0 where their source began anew, and lose nothing of what was counted", () => {
    const continued = continueFiles({ refaults: { read: "1000", counted: "40" } });
    expect(continued.count(files(3n)).refaults).to.equal(43n);
    expect(continued.count(files(5n)).refaults).to.equal(45n);
  });

  it("stay as they were where they cannot be read, and are absent where they never could", () => {
    const continued = continueFiles({ refaults: { read: "10", counted: "4" } });
    expect(continued.count(files(undefined))).to.deep.equal({
      psiSomeUs: undefined,
      psiFullUs: undefined,
      refaults: 4n,
    });
    expect(continued.count(files(12n)).refaults).to.equal(6n);
    expect(Object.keys(continued.memory())).to.deep.equal(["refaults"]);
  });
});
