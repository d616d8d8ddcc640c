/** What the sidecar says of itself, row by row, against what the kernel and the server say of it. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { startEmbedded } from "../../src/embedded/server.js";
import { readSchema } from "../../src/config/schema-files.js";
import { startLiveSidecar } from "../support/live-sidecar.js";
import { startSidecar } from "../support/sidecar.js";
import { waitFor } from "../support/wait.js";

const INTERVAL_MS = 250;
const TICKS = 12;
/** USER_HZ of /proc/PID/stat is 100 on every machine that Linux runs on (include/asm-generic/param.h). */
const CLOCK_TICK_US = 10_000;

function ownCpuUs(): number {
  // The name, in parentheses, may hold spaces; utime and stime are the 14th and 15th value (proc_pid_stat(5)).
  const values = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(values[11]) + Number(values[12])) * CLOCK_TICK_US;
}

function ownMemoryBytes(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}

/** Ids that the kernel shows of descriptors of this process. */
function heldIds(kind: "link_id" | "prog_id"): Set<number> {
  const pattern = new RegExp(`^${kind}:\\s+(\\d+)$`, "m");
  const ids = readdirSync("/proc/self/fdinfo").flatMap((fd) => {
    try {
      return pattern.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? [];
    } catch {
      // The descriptor of the listing itself is closed again.
      return [];
    }
  });
  return new Set(ids.map(Number));
}

/** Events that a program skipped, by bpftool. */
function skippedEvents(): number {
  const held = heldIds("prog_id");
  const text = execFileSync("bpftool", ["--json", "prog", "show"], { encoding: "utf8" });
  const programs = JSON.parse(text) as { id: number; recursion_misses?: number }[];
  return programs
    .filter(({ id }) => held.has(id))
    .reduce((sum, { recursion_misses = 0 }) => sum + recursion_misses, 0);
}

describe("rows of the sidecar about itself", function () {
  this.timeout(60_000);

  it("are what the kernel says of its process and programs, and the server of its points", async () => {
    const linksBefore = heldIds("link_id").size;
    const server = await startEmbedded({ host: "127.0.0.1", port: 0 });
    const beganMs = Date.now();
    const live = await startLiveSidecar({ address: server.address, group: "own", intervalMs: INTERVAL_MS });
    try {
      live.begin();
      await waitFor("some ticks", () => live.agent.ticks() >= TICKS);
      const [links, skipped] = [heldIds("link_id").size - linksBefore, skippedEvents()];
      const memoryBytes = ownMemoryBytes();
      await live.finish();
      const [cpuUs, elapsedMs] = [ownCpuUs(), Date.now() - beganMs];
      const { rows, sums } = await live.stored("sidecar");
      const sum = (name: string) => sums[name] ?? NaN;

      expect(rows.length).to.be.at.least(TICKS);
      for (const { fields } of rows) {
        expect(fields).to.include({ status: 0, probes_missing: 0, probes_attached: links });
        expect(fields["rss_bytes"]).to.be.within(memoryBytes * 0.6, memoryBytes * 1.4);
      }
      // From the beginning of the process on.
      expect(sum("cpu_us")).to.be.within(cpuUs * 0.7, cpuUs + CLOCK_TICK_US);
      expect(sum("interval_ms")).to.be.within(elapsedMs / 2, elapsedMs);
      expect(sum("events_missed")).to.equal(skipped);
      expect([sum("points_rejected"), sum("points_coalesced"), sum("points_dropped")]).to.deep.equal([
        0, 0, 0,
      ]);
      // A row says what was written until then, so not what is in it, nor what comes after it.
      const stored = await Promise.all(
        readSchema().measures.map(async ({ name, optional }) =>
          optional ? [] : (await live.stored(name)).rows,
        ),
      );
      const times = stored.flat().map(({ timestampMs }) => timestampMs);
      const lastMs = Math.max(...times);
      expect(sum("points_written")).to.be.within(
        times.filter((ms) => ms < lastMs - 4 * INTERVAL_MS).length,
        times.filter((ms) => ms < lastMs).length,
      );
      expect(sum("points_collected")).to.be.within(sum("points_written"), times.length);
    } finally {
      await server.kill();
    }
  });

  it("say how many probes are missing, and that this is no good state", async () => {
    const args = [
      "run",
      "--dry-run",
      "--interval",
      "200ms",
      "--http-listen",
      "off",
      "--kernel-tier",
      "procfs",
    ];
    const running = startSidecar(args);
    const [line] = await running.seen(/^\{.*"measure":"sidecar".*$/m);
    running.signal("SIGTERM");
    await running.ended;
    const { fields } = JSON.parse(line) as { fields: Record<string, number> };
    expect(fields).to.include({ probes_attached: 0, probes_missing: 1 });
    expect(fields["status"]).to.be.greaterThan(0);
  });
});
