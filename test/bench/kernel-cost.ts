/**
 * What the kernel side costs those who are watched, and those who are not: `npm run bench:kernel`, as root.
 * Exits with 1 where a requirement is missed.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { constants, release, setPriority } from "node:os";
import { parseArgs } from "node:util";
import { SAMPLED_INTERVAL } from "../../src/kernel/latency-sampling.js";
import { LAYOUT, measureLayout } from "./kernel-layout.js";
import { keyOf, measureInTurn, numbersOf, quantile, type Call, type Measured } from "./kernel-rounds.js";
import {
  LAST_TARGET,
  OTHER,
  OTHER_OF_MANY,
  OUR_TIERS,
  TARGET,
  untimedOf,
  type EmptyKind,
} from "./kernel-variants.js";

const CALLS: readonly Call[] = ["pread4k", "pread64k", "getppid"];

const NO_LIMITS = { target: Infinity, other: Infinity };
/** Times the empty program of the same kind. */
const LIMITS: Record<EmptyKind, { readonly target: number; readonly other: number }> = {
  tp_btf: { target: 2.5, other: 1.7 },
  tracepoint: { target: 2.5, other: 1.5 },
  // Nothing is promised for these.
  fexit: NO_LIMITS,
  kprobe: NO_LIMITS,
};
/** Nothing of ours is on the way of another syscall: what is measured beyond this is no noise. */
const SYSCALL_NOISE_NS = 3;
const OPEN_MS = 500;
const MEMORY_BYTES = 24 << 20;
const TICK_MS = 0.5;
/** Measured for the peer's own programs where a hot 4 KiB pread takes 477 ns and nothing is attached. */
const PEER_NS = { target: 1074, other: 598 };
const PEER_TOLERANCE = 0.3;

function report(measured: Measured): boolean {
  const { costs, durations } = measured;
  const { ns, added, timesEmpty: times } = numbersOf(measured);
  const kindOf = (key: string) => OUR_TIERS.find(({ name }) => key.startsWith(`${name}: `))?.kind;

  console.log(`${"".padEnd(52)}${CALLS.map((call) => call.padStart(27)).join("")}   x empty`);
  console.log(`${"".padEnd(52)}${CALLS.map(() => "min  median   +min    +med".padStart(27)).join("")}`);
  for (const key of costs.keys()) {
    const cells = CALLS.map((call) => {
      const signed = (value: number) => `${value < 0 ? "" : "+"}${value.toFixed(0)}`.padStart(7);
      const [min, median] = [ns(key, call, 0), ns(key, call, 0.5)].map((value) =>
        value.toFixed(0).padStart(7),
      );
      return `${min ?? ""}${median ?? ""}${signed(added(key, call))}${signed(added(key, call, 0.5))}`
        .slice(-27)
        .padStart(27);
    });
    const kind = kindOf(key);
    console.log(`${key.padEnd(52)}${cells.join("")}${kind ? times(key, kind).toFixed(2).padStart(10) : ""}`);
  }

  let met = true;
  const check = (what: string, value: number, limit: number, unit: string, digits = 2) => {
    if (value > limit) met = false;
    const verdict =
      limit === Infinity ? "no limit" : `${value <= limit ? "ok, " : "MISSED, "}at most ${limit} ${unit}`;
    console.log(`${what}: ${value.toFixed(digits)} ${unit} (${verdict})`);
  };
  console.log();
  for (const { name, kind, parts } of OUR_TIERS) {
    const [target, other] = [keyOf(name, TARGET), keyOf(name, OTHER)];
    if (!costs.has(target)) continue;
    const limits = parts ? NO_LIMITS : LIMITS[kind];
    for (const [role, limit] of [
      [TARGET, limits.target],
      [LAST_TARGET, limits.target],
      [OTHER, limits.other],
      [OTHER_OF_MANY, limits.other],
    ] as const)
      check(`${name}, pread of 4 KiB, ${role}`, times(keyOf(name, role), kind), limit, `x empty ${kind}`);
    if (parts?.latency === "always") {
      const untimed = keyOf(untimedOf(name), TARGET);
      const [always, never] = [added(target, "pread4k"), added(untimed, "pread4k")];
      const sampled = never + (always - never) / SAMPLED_INTERVAL;
      check(
        `${name}, pread of 4 KiB, target, one interval in ${SAMPLED_INTERVAL}`,
        sampled,
        Infinity,
        "ns",
        0,
      );
    }
    const noiseNs = parts?.syscallPrograms === true ? Infinity : SYSCALL_NOISE_NS;
    check(`${name}, another syscall of the target`, added(target, "getppid"), noiseNs, "ns", 1);
    check(`${name}, another syscall of another process`, added(other, "getppid"), noiseNs, "ns", 1);
    const { openMs, closeMs } = durations.get(name) ?? { openMs: [], closeMs: [] };
    check(`${name}, load and attach`, quantile(openMs, 0), OPEN_MS, "ms", 0);
    check(`${name}, load and attach, median`, quantile(openMs, 0.5), Infinity, "ms", 0);
    check(`${name}, close, median`, quantile(closeMs, 0.5), Infinity, "ms", 0);
  }
  const layout = measureLayout();
  const where = `${LAYOUT.cpus} possible CPUs`;
  check(`load and attach at ${where}`, layout.openMs, OPEN_MS, "ms", 0);
  check(`kernel memory of the maps at ${where}`, layout.mapBytes / 2 ** 20, MEMORY_BYTES / 2 ** 20, "MB", 1);
  check("and of the programs", layout.programBytes / 2 ** 20, Infinity, "MB", 2);
  const tick = `read-out and differences of ${LAYOUT.components} components at ${where}`;
  check(`${tick}, median`, layout.tickMs, TICK_MS, "ms", 3);
  check("its first time", layout.firstTickMs, Infinity, "ms", 3);
  reportStandIn(
    added(keyOf("the peer's way", TARGET), "pread4k"),
    added(keyOf("the peer's way", OTHER), "pread4k"),
  );
  return met;
}

function reportStandIn(target: number, other: number): void {
  const near = (measured: number, expected: number) => Math.abs(measured / expected - 1) <= PEER_TOLERANCE;
  const faithful = near(target, PEER_NS.target) && near(other, PEER_NS.other);
  console.log(
    `the peer's way: +${target.toFixed(0)} ns for +${PEER_NS.target} measured for its own programs, ` +
      `another process +${other.toFixed(0)} for +${PEER_NS.other}: ` +
      (faithful ? "a fair stand-in" : "NO STAND-IN, more than 30 % off; compare nothing with it"),
  );
}

/** Classic tracepoints are found by name in tracefs; where it is not mounted, only this process shall see it. */
function againWithTracefs(): number | undefined {
  if (existsSync("/sys/kernel/tracing/events")) return undefined;
  const script = 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"';
  const self = [process.execPath, ...process.argv.slice(1)];
  return (
    spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", ...self], { stdio: "inherit" }).status ?? 1
  );
}

async function main(): Promise<number> {
  const status = againWithTracefs();
  if (status !== undefined) return status;
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "30" } } });
  // Loading takes the time of a processor, not of those who wait for one.
  setPriority(constants.priority.PRIORITY_HIGHEST);
  console.log(
    `Linux ${release()}, ${values.rounds} rounds; ns of one call, and ns more than with nothing attached`,
  );
  const rounds = Number(values.rounds);
  return report(await measureInTurn({ rounds, tiers: OUR_TIERS, withPeer: true })) ? 0 : 1;
}

process.exitCode = await main();
