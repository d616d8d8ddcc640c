import { expect } from "chai";
import type { NodeConfig } from "../../../src/config/config.js";
import type { KernelMemory } from "../../../src/kernel/kernel-memory.js";
import { lastReading, memoryAfter, sumRows } from "../../../src/kernel/last-reading.js";

const NODE: NodeConfig = { id: "a:17912", cluster: "c", role: "data", type: "hot" };

/** A layout that is none of ours: two CPUs, eight components of three kinds, one identity. */
const MEMORY: KernelMemory = {
  identitiesMax: 1,
  identities: [NODE],
  owners: [
    { identity: 0, catalog: "other", dbGroup: "n/a" },
    { identity: 0, catalog: "measure", dbGroup: "sw" },
  ],
  storage: [{ before: { read: "5", write: "6" }, reached: { read: "100", write: "200" }, living: ["1-2"] }],
  files: [{ refaults: { read: "900", counted: "9" } }, { psiSomeUs: { read: "70", counted: "7" } }],
  eventsMissed: 0,
  maps: {
    possibleCpus: 2,
    componentsMax: 8,
    fileKinds: 3,
    identitiesMax: 1,
    counterNames: ["reads", "gone_since"],
    pressureNames: ["direct_reclaims"],
    adviceNames: ["willneed", "dontneed"],
    hintNames: ["calls"],
    available: ["reads"],
  },
};

/** `[cpu][row][slot]`, filled by place. */
function bytes(
  cpus: number,
  rows: number,
  slots: number,
  value: (row: number, slot: number) => number,
): Uint8Array {
  const values = new BigUint64Array(cpus * rows * slots);
  for (let i = 0; i < values.length; i++) values[i] = BigInt(value(Math.floor(i / slots) % rows, i % slots));
  return new Uint8Array(values.buffer);
}

const MAPS: Readonly<Record<string, Uint8Array>> = {
  // Four slots for two counters: rows are padded.
  counters: bytes(2, 8, 4, (row, slot) => (slot < 2 ? 10 * row + slot : 1e6)),
  pressure: bytes(2, 2, 1, (row) => 1 + row),
  hints: bytes(2, 2, 1, (row) => 3 + row),
};
const pins = { readArray: (name: string) => MAPS[name] ?? new Uint8Array() };

describe("the last reading of counters of another layout", () => {
  it("sums the CPUs, by the names and places that were noted", () => {
    const kernel = lastReading(pins, MEMORY);
    const { counters, identities, node } = kernel.read();
    expect(kernel.layout).to.deep.equal({ names: ["reads", "gone_since"], components: 8 });
    expect([...kernel.available]).to.deep.equal(["reads"]);
    // Components that were in use: one unknown, and two owners of three kinds.
    expect([...counters]).to.deep.equal(
      [0, 1, 2, 3, 4, 5, 6].flatMap((row) => [20n * BigInt(row), 20n * BigInt(row) + 2n]),
    );
    expect(kernel.describe(4)).to.deep.include({ catalog: "measure", dbGroup: "sw" });
    expect(identities[0]?.pressure.counted).to.deep.equal({ direct_reclaims: 2n });
    expect(node.counted).to.deep.equal({ direct_reclaims: 4n });
    expect(identities[0]?.hints).to.deep.equal({ willneed: { calls: 6n }, dontneed: { calls: 8n } });
  });

  it("has of files and storage what was counted until then, and no more", () => {
    const { identities, node } = lastReading(pins, MEMORY).read();
    expect(identities[0]?.storage).to.deep.equal({ read: 100n, write: 200n });
    expect(identities[0]?.pressure.files).to.deep.equal({
      psiSomeUs: undefined,
      psiFullUs: undefined,
      refaults: 9n,
    });
    expect(node.files.psiSomeUs).to.equal(7n);
  });

  it("leaves for the counters that come what goes on: files from their last reading, storage from what it had", () => {
    const after = memoryAfter(MEMORY, () => ({ read: 30n, write: 40n }));
    expect(after.files).to.deep.equal([
      { refaults: { read: "900", counted: "0" } },
      { psiSomeUs: { read: "70", counted: "0" } },
    ]);
    expect(after.storage).to.deep.equal([
      { before: { read: "75", write: "166" }, reached: { read: "0", write: "0" }, living: ["1-2"] },
    ]);
    expect(after.owners).to.equal(undefined);
  });

  it("adds up beyond 2^53", () => {
    const values = new BigUint64Array([2n ** 60n, 2n ** 60n]);
    const sums = sumRows(new Uint8Array(values.buffer), { cpus: 2, rows: 1, counters: 1 });
    expect([...sums]).to.deep.equal([2n ** 61n]);
  });
});
