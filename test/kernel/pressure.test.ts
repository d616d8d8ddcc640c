import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { difference, readCounts, useProbe } from "../support/kernel.js";
import { makeFile, startReader } from "../support/reader.js";

const MIB = 1 << 20;
const LIMIT_BYTES = 32 * MIB;
const FILE_BYTES = 96 * MIB;

/** A cgroup with a memory limit, of whichever version this machine has. */
function limitedCgroup(): { add(pid: number): void; remove(): void } {
  const [folder, limitFile] = existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes")
    ? ["/sys/fs/cgroup/memory", "memory.limit_in_bytes"]
    : ["/sys/fs/cgroup", "memory.max"];
  if (limitFile === "memory.max") writeFileSync(`${folder}/cgroup.subtree_control`, "+memory");
  const path = `${folder}/banyandb-ebpf-sidecar-test-${process.pid}`;
  mkdirSync(path);
  writeFileSync(`${path}/${limitFile}`, String(LIMIT_BYTES));
  return {
    add: (pid) => {
      writeFileSync(`${path}/cgroup.procs`, String(pid));
    },
    remove: () => {
      rmdirSync(path);
    },
  };
}

describe("memory pressure on a target at the limit of its cgroup", function () {
  this.timeout(60_000);
  const { addon, probe } = useProbe();

  function pressure(scope: "target" | "node"): Record<string, number> {
    const names = addon().pressureNames;
    const values = new BigUint64Array((addon().identitiesMax + 1) * names.length);
    probe().readPressure(values);
    const first = scope === "target" ? 0 : addon().identitiesMax * names.length;
    return Object.fromEntries(names.map((name, i) => [name, Number(values[first + i])]));
  }

  it("evicts by reclaim exactly what the kernel says that its reclaim freed", async () => {
    const file = makeFile(FILE_BYTES);
    const cgroup = limitedCgroup();
    const reader = await startReader(file.path, { pattern: "sequential", bytes: 131072, ops: 1500 });
    cgroup.add(reader.pid);
    probe().setTargets([reader.pid]);
    const before = readCounts(addon(), probe());
    const nodeBefore = pressure("node");
    await reader.run();
    const counts = difference(readCounts(addon(), probe()), before);
    const target = pressure("target");
    const node = difference(pressure("node"), nodeBefore);
    await reader.end();
    cgroup.remove();
    file.remove();

    expect(target["memcg_reclaims"]).to.be.greaterThan(0);
    expect(target["direct_reclaims"]).to.equal(0);
    expect(target["reclaim_stall_ns"]).to.be.greaterThan(0);
    expect(counts["pages_evicted_direct"]).to.be.greaterThan((FILE_BYTES - LIMIT_BYTES) / 4096);
    expect(counts["pages_evicted_direct"]).to.equal(target["pages_reclaimed"]);
    expect(target["pages_scanned"]).to.be.at.least(target["pages_reclaimed"] ?? Infinity);
    for (const name of ["memcg_reclaims", "pages_scanned", "pages_reclaimed"]) {
      expect(node[name], name).to.be.at.least(target[name] ?? Infinity);
    }
  });
});
