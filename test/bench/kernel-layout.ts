/**
 * What does not depend on events, on a machine of 64 possible CPUs: kernel memory, and one read-out with its
 * differences. The addon is loaded in a process that sees such a machine (its own mount of the file that says
 * so), so nothing is computed: the maps really have that size.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { trackCounts } from "../../src/model/counters.js";
import { requireReads, testedChoice } from "../support/kernel.js";

export const LAYOUT = { cpus: 64, components: 64 };

export interface LayoutCost {
  /** Minimum of several times. */
  readonly openMs: number;
  readonly mapBytes: number;
  readonly programBytes: number;
  /** Median: read-out and differences of one tick, with nothing of it in the CPU's caches. */
  readonly tickMs: number;
  /** With code that was never run and memory that was never touched before. */
  readonly firstTickMs: number;
}

const CPUS_FILE = "/sys/devices/system/cpu/possible";
const TICKS = 41;
const OPENS = 7;
/** More than the last-level cache that one core has to itself on any x86-64 so far. */
const CACHE_BYTES = 128 << 20;

/** Runs the measurement in a process of its own; needs root. */
export function measureLayout(): LayoutCost {
  const folder = mkdtempSync(join(tmpdir(), "cpus-"));
  try {
    const file = join(folder, "possible");
    writeFileSync(file, `0-${LAYOUT.cpus - 1}\n`);
    const script = `mount --bind ${file} ${CPUS_FILE} && exec "$@"`;
    const self = [process.execPath, fileURLToPath(import.meta.url)];
    const text = execFileSync("unshare", ["--mount", "sh", "-c", script, "sh", ...self], {
      encoding: "utf8",
    });
    return JSON.parse(text) as LayoutCost;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Kernel memory of what this process holds, as the kernel accounts for it. */
function heldBytes(kind: "map" | "prog"): number {
  const byId = new Map<string, number>();
  for (const fd of readdirSync("/proc/self/fdinfo")) {
    const info = fdinfo(fd);
    const id = new RegExp(`^${kind}_id:\\s+(\\d+)$`, "m").exec(info)?.[1];
    const bytes = /^memlock:\s+(\d+)$/m.exec(info)?.[1];
    if (id !== undefined && !info.includes("link_type")) byId.set(id, Number(bytes));
  }
  return [...byId.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function fdinfo(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
  } catch {
    // The descriptor of the listing itself is closed again.
    return "";
  }
}

function measure(): LayoutCost {
  const addon = requireReads();
  const { programs, spare } = testedChoice(addon.probeFeatures());
  const opens: number[] = [];
  const open = () => {
    const beginMs = performance.now();
    const opened = addon.open({ programs, spare });
    opens.push(performance.now() - beginMs);
    return opened;
  };
  while (opens.length < OPENS - 1) open().close();
  const probe = open();
  const values = new BigUint64Array(LAYOUT.components * addon.counterNames.length);
  const tracker = trackCounts({ names: addon.counterNames, components: addon.componentsMax }, values);
  const cache = new Uint8Array(CACHE_BYTES);
  const ticks: number[] = [];
  for (let tick = 1; tick <= TICKS; tick++) {
    cache.fill(tick);
    const readMs = performance.now();
    probe.readCounters(values);
    const readOutMs = performance.now() - readMs;
    // Nobody is counted here: as if every counter had grown.
    values.fill(BigInt(tick));
    const differMs = performance.now();
    tracker.advance(values);
    ticks.push(readOutMs + performance.now() - differMs);
  }
  const cost = { openMs: Math.min(...opens), mapBytes: heldBytes("map"), programBytes: heldBytes("prog") };
  probe.close();
  return { ...cost, tickMs: median(ticks), firstTickMs: ticks[0] ?? Number.NaN };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(measure()));
