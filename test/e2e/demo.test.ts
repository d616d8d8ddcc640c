import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import type { DemoResult } from "../../src/demo/result.js";
import { requireReads } from "../support/kernel.js";
import { packageRoot } from "../support/package-root.js";
import { makeFile, startReader } from "../support/reader.js";
import { startSidecar, type Ended } from "../support/sidecar.js";

/** A real server where the environment names one, as for the other suites. */
const environment: Record<string, string> =
  process.env["BANYANDB_ADDR"] === undefined ? {} : { BANYANDB_ADDR: process.env["BANYANDB_ADDR"] };
const NO_SUCH_TARGET = ["--set", "target.name=no-such-program"];

function resultOf({ stdout, stderr, code }: Ended): DemoResult {
  expect(code, stderr).to.equal(0);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as DemoResult;
}

/** A node id of its own, because a real server keeps the rows of earlier runs. */
const nodeId = () => ["--set", `node.id=demo-test-${process.pid}-${Date.now()}`];

/** Id of the counter map that a process holds. */
function counterMapOf(pid: number): number {
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const id = /^map_id:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1];
    if (id === undefined) continue;
    const shown = execFileSync("bpftool", ["--json", "map", "show", "id", id], { encoding: "utf8" });
    if ((JSON.parse(shown) as { name?: string }).name === "counters") return Number(id);
  }
  throw new Error(`process ${pid} holds no map counters`);
}

/** Sums of a counter over all CPUs and components, by bpftool. */
function dumpedCounter(mapId: number, index: number): number {
  const dump = execFileSync("bpftool", ["--json", "map", "dump", "id", String(mapId)], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const entries = JSON.parse(dump) as { formatted: { value: { value: number[] } } }[];
  return entries.reduce((sum, { formatted }) => sum + (formatted.value.value[index] ?? 0), 0);
}

describe("demo", function () {
  this.timeout(60_000);

  it("stores exactly what the kernel counted of the sample workload", async () => {
    const args = ["demo", "--json", "--duration", "6s", ...NO_SUCH_TARGET, ...nodeId()];
    const result = resultOf(await startSidecar(args, { environment }).ended);
    expect(result.stored).to.deep.equal(result.kernel);
    expect(result.tier).to.equal("tracing");
    expect(result.target.description).to.equal("sample workload");
    const active = [
      "reads",
      "reads_missed",
      "pages_missed",
      "pages_readahead",
      "pages_written",
      "pages_evicted_hint",
    ];
    for (const name of active) expect(result.kernel[name], name).to.be.greaterThan(0);
    // The workload removes all its files. Pages of its program, which others run too, may come and go.
    const pages = (what: string) => result.kernel[`pages_${what}`] ?? Number.NaN;
    expect(pages("evicted") - pages("evicted_reclaim")).to.be.at.most(pages("added"));
    expect(pages("evicted")).to.be.at.least(pages("added") - pages("faulted"));
    expect(result.points).to.include({ rejected: 0, dropped: 0, coalesced: 0, queued: 0, in_flight: 0 });
    expect(result.points["written"]).to.equal(result.points["collected"]);
  });

  it("counts what the watched process counts itself, and what bpftool finds in the map", async () => {
    const { counterNames } = requireReads();
    const file = makeFile(16 << 20);
    const reader = await startReader(file.path, { pattern: "unaligned", bytes: 100_000, ops: 700 });
    const target = ["--set", `target.pid=${reader.pid}`, "--set", "interval=200ms"];
    const demo = startSidecar(["demo", "--json", "--duration", "4s", ...target, ...nodeId()], {
      environment,
    });
    await demo.seen(/Watching/);
    const truth = await reader.run();
    const counters = ["reads", "pages_requested", "read_bytes"] as const;
    const mapId = counterMapOf(demo.pid);
    const dumped = counters.map((name) => dumpedCounter(mapId, counterNames.indexOf(name)));
    const result = resultOf(await demo.ended);
    await reader.end();
    file.remove();
    expect(counters.map((name) => result.stored[name])).to.deep.equal(counters.map((name) => truth[name]));
    expect(dumped).to.deep.equal(counters.map((name) => truth[name]));
    expect(result.stored).to.deep.equal(result.kernel);
    expect(result.ticks).to.be.greaterThan(10);
  });

  it("is right of a target that goes on writing when the demo is over", async () => {
    const file = makeFile(1 << 20);
    const writes =
      "const fs = require('fs'); const fd = fs.openSync(process.argv[1], 'w'); const bytes = Buffer.alloc(1 << 16);" +
      "setInterval(() => { fs.ftruncateSync(fd); fs.writeSync(fd, bytes, 0, bytes.length, 0); fs.fsyncSync(fd); }, 5)";
    const writer = spawn(process.execPath, ["-e", writes, file.path]);
    const target = ["--set", `target.pid=${writer.pid ?? 0}`, "--set", "interval=200ms"];
    const args = ["demo", "--json", "--duration", "2s", ...target, ...nodeId()];
    const ended = await startSidecar(args, { environment }).ended;
    writer.kill();
    file.remove();
    const result = resultOf(ended);
    expect(result.kernel["pages_written"]).to.be.greaterThan(0);
    expect(result.stored).to.deep.equal(result.kernel);
  });

  it("shows live numbers and the rows as read back to people", async () => {
    const args = ["demo", "--duration", "3s", ...NO_SUCH_TARGET, ...nodeId()];
    const { code, stdout } = await startSidecar(args, { environment }).ended;
    expect(code).to.equal(0);
    expect(stdout).to.match(/^time +reads +hit %/);
    expect(stdout).to.match(/As read back from the .*BanyanDB/);
    expect(stdout).to.match(/Stored equals kernel in all \d+ counts\./);
  });

  it("ends in good order on the first interrupt", async () => {
    const demo = startSidecar(["demo", "--json", ...NO_SUCH_TARGET, ...nodeId()], { environment });
    await demo.seen(/Watching/);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    demo.signal("SIGINT");
    const result = resultOf(await demo.ended);
    expect(result.stored).to.deep.equal(result.kernel);
    expect(result.kernel["reads"]).to.be.greaterThan(0);
  });

  it("counts a target in its own pid namespace like any other", () => {
    const main = `${packageRoot}/dist/src/main.js`;
    const command = ["-pf", "--mount-proc", process.execPath, main, "demo", "--json", "--duration", "4s"];
    const stdout = execFileSync("unshare", [...command, ...NO_SUCH_TARGET, ...nodeId()], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment, PATH: process.env["PATH"] },
    });
    const result = JSON.parse(stdout) as DemoResult;
    // The numbers of a fresh pid namespace are small, and those that the kernel counts by are not.
    expect(result.target.pids.every((pid) => pid < 200)).to.equal(true);
    expect(result.kernel["reads"]).to.be.greaterThan(1000);
    expect(result.stored).to.deep.equal(result.kernel);
  });
});
