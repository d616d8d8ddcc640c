import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { openProbe, requireReads, testedChoice } from "../support/kernel.js";

/** At 64 possible CPUs and 256 components. */
const BOUND = { cpus: 64, bytes: 24 << 20 };
/** Heads of maps, and the maps of task storage, which grow with the tasks. */
const TOLERANCE = 0.02;
/** Since then the kernel tells what a map takes (map_mem_usage); before it told its own estimate. */
const TELLS_SINCE = { major: 6, minor: 4 };

function tells(release: string): boolean {
  const [major = 0, minor = 0] = release.split(".").map(Number);
  return major > TELLS_SINCE.major || (major === TELLS_SINCE.major && minor >= TELLS_SINCE.minor);
}

/** What the kernel accounts to the maps that this process holds. */
function heldBytes(): number {
  const byId = new Map<string, number>();
  for (const fd of readdirSync("/proc/self/fdinfo")) {
    let info = "";
    try {
      info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    } catch {
      // The descriptor of the listing itself is closed again.
    }
    const id = /^map_id:\s+(\d+)$/m.exec(info)?.[1];
    if (id !== undefined) byId.set(id, Number(/^memlock:\s+(\d+)$/m.exec(info)?.[1]));
  }
  return [...byId.values()].reduce((sum, bytes) => sum + bytes, 0);
}

describe("kernel memory of the maps", function () {
  this.timeout(300_000);
  const addon = () => requireReads();

  it("is what the kernel accounts, and what is computed before anything is loaded", () => {
    const facts = addon().probeFeatures();
    const { programs, spare } = testedChoice(facts);
    const before = heldBytes();
    const probe = openProbe(addon());
    try {
      const { mapBytes } = probe.stats();
      expect(addon().mapBytes([...programs, ...spare], facts.possibleCpus)).to.equal(mapBytes);
      if (!tells(facts.release)) return;
      const held = heldBytes() - before;
      expect(mapBytes).to.be.within(held * (1 - TOLERANCE), held * (1 + TOLERANCE));
    } finally {
      probe.close();
    }
  });

  it("grows with the CPUs, and stays within its bound", () => {
    const { programs, spare } = testedChoice(addon().probeFeatures());
    const at = (cpus: number) => addon().mapBytes([...programs, ...spare], cpus);
    expect(at(BOUND.cpus)).to.be.within(at(BOUND.cpus - 1) + 1, BOUND.bytes);
    // By as much for each CPU.
    expect(at(3) - at(2)).to.be.closeTo(at(64) - at(63), 3 * 4096);
  });

  it("refuses numbers of CPUs that no machine has", () => {
    for (const cpus of [-1, 1.5, 8193]) expect(() => addon().mapBytes([], cpus)).to.throw(RangeError);
  });
});
