import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import type { NativeProbe } from "../../src/kernel/addon.js";
import { useProbe } from "../support/kernel.js";
import { packageRoot } from "../support/package-root.js";
import { makeFile, startReader } from "../support/reader.js";

interface ShownProgram {
  readonly id: number;
  readonly run_time_ns?: number;
  readonly run_cnt?: number;
}

/** Ids of the programs that this process holds, by the kernel's own list of its descriptors. */
function heldPrograms(): Set<number> {
  const ids = readdirSync("/proc/self/fdinfo").flatMap((fd) => {
    try {
      return /^prog_id:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? [];
    } catch {
      // The descriptor of the listing itself is closed again.
      return [];
    }
  });
  return new Set(ids.map(Number));
}

/** How often and how long they ran, by bpftool; and how often those of other processes did. */
function shown(): { readonly runs: number; readonly ns: number; readonly foreignRuns: number } {
  const text = execFileSync("bpftool", ["--json", "prog", "show"], { encoding: "utf8" });
  const held = heldPrograms();
  const all = JSON.parse(text) as ShownProgram[];
  const own = all.filter(({ id }) => held.has(id));
  const runsOf = (programs: readonly ShownProgram[]) =>
    programs.reduce((sum, { run_cnt = 0 }) => sum + run_cnt, 0);
  return {
    runs: runsOf(own),
    ns: own.reduce((sum, { run_time_ns = 0 }) => sum + run_time_ns, 0),
    foreignRuns: runsOf(all) - runsOf(own),
  };
}

describe("how long the programs run", function () {
  this.timeout(300_000);
  const { probe } = useProbe();

  async function readMuch(target: NativeProbe): Promise<number> {
    const file = makeFile(4 << 20);
    const reader = await startReader(file.path, { pattern: "random", bytes: 4096, ops: 2000 });
    target.setTargets([reader.pid]);
    const { reads } = await reader.run();
    target.setTargets([]);
    await reader.end();
    file.remove();
    return reads;
  }

  it("is what bpftool says, and grows only while it is asked for", async () => {
    // The kernel adds up for all or for none: where somebody else asks for it meanwhile, then once more.
    for (let attempt = 1; ; attempt++) {
      const begin = shown();
      probe().beginStatistics();
      const reads = await readMuch(probe());
      probe().endStatistics();
      probe().endStatistics();
      const end = shown();
      const told = Number(probe().runTimeNs());
      await readMuch(probe());
      const later = shown();
      if (later.foreignRuns !== end.foreignRuns && attempt < 10) continue;
      expect(told).to.equal(end.ns);
      expect(end.runs - begin.runs).to.be.at.least(reads);
      expect(end.ns - begin.ns).to.be.greaterThan(0);
      expect(later).to.deep.equal(end);
      expect(Number(probe().runTimeNs())).to.equal(end.ns);
      return;
    }
  });

  it("is refused to whoever is not allowed", () => {
    const script = `
      const addon = require(${JSON.stringify(`${packageRoot}/build/sidecar.node`)});
      const probe = addon.open({ programs: ["on_shrink_inactive"] });
      try { probe.beginStatistics(); } catch ({ code, message }) { console.log(JSON.stringify({ code, message })); }`;
    const text = execFileSync("setpriv", ["--bounding-set=-sys_admin", process.execPath, "-e", script], {
      encoding: "utf8",
    });
    const error = JSON.parse(text) as { code: string; message: string };
    expect(error.code).to.equal("EPERM");
    expect(error.message).to.include("enable BPF run-time statistics");
  });
});
