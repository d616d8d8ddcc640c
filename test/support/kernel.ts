/** What kernel tests share: the loaded addon, and counters by name. They fail, not skip, without BPF. */
import type { TargetConfig, TierChoice, WatchedTarget } from "../../src/config/config.js";
import {
  loadAddon,
  type KernelFacts,
  type NativeAddon,
  type NativePins,
  type NativeProbe,
} from "../../src/kernel/addon.js";
import { choosePrograms, type Choice } from "../../src/kernel/choose.js";
import type { Kernel } from "../../src/kernel/kernel.js";
import { openKernel } from "../../src/kernel/open-kernel.js";
import type { Log } from "../../src/model/log.js";
import { packageRoot } from "./package-root.js";

export type Counts = Readonly<Record<string, number>>;

/**
 * The tier to test: the variable SIDECAR_TIER where it is set, as the suites for other kernels do; `records` is
 * tier tracing with classic tracepoints, `raw` with raw ones.
 */
const WANTED = process.env["SIDECAR_TIER"] ?? "auto";

/** What is loaded for the tier under test. */
export function testedChoice(facts: KernelFacts): Choice {
  if (WANTED === "raw") return choosePrograms({ ...facts, preemptibleRawTracepoints: "no" }, "tracing");
  if (WANTED !== "records") return choosePrograms(facts, WANTED as TierChoice);
  return choosePrograms({ ...facts, preemptibleRawTracepoints: "yes", preemptMode: "full" }, "tracing");
}

let loaded: NativeAddon | undefined;

/** The addon, which asks the kernel what it has only once: in an emulated machine the answer takes seconds. */
export function testedAddon(): NativeAddon {
  if (!loaded) {
    const addon = loadAddon(packageRoot);
    const facts = addon.probeFeatures();
    loaded = { ...addon, probeFeatures: () => facts };
  }
  return loaded;
}

/** Insists that this kernel and this user can load a tier that sees reads. */
export function requireReads(): NativeAddon {
  const addon = testedAddon();
  const { tier, reasons } = testedChoice(addon.probeFeatures());
  if (tier === "none" || tier === "procfs") {
    throw new Error(`kernel tests need BPF (tier ${WANTED}): ${reasons.get("kernel") ?? "no program"}`);
  }
  return addon;
}

/** So much of so many reads or lives as an emulated guest (test/vm/guest/suite.sh) is to do; all of them elsewhere. */
export const workOf = (count: number): number =>
  Math.ceil((count * Number(process.env["WORK_PERCENT"] ?? 100)) / 100);

/** Needs compare-and-swap in BPF, which 5.10 lacks; nothing else may be missing. */
const OPTIONAL = "on_exec";

/** Programs beside those of the tier. */
export interface Extras {
  readonly programs: readonly string[];
  readonly sampled: readonly string[];
}

const NO_EXTRAS: Extras = { programs: [], sampled: [] };

/** Opens a probe with everything attached but the sampled programs; with pins it counts for a minute. */
export function openProbe(addon: NativeAddon, pins?: NativePins, extras = NO_EXTRAS): NativeProbe {
  const { programs, spare, useRecords } = testedChoice(addon.probeFeatures());
  const probe = addon.open({
    programs: [...programs, ...extras.programs],
    spare,
    sampled: extras.sampled,
    ...(pins && { pins }),
  });
  if (pins) probe.keepAlive(60_000_000_000n);
  if (useRecords) probe.useRecords();
  const missing = probe.programs.filter(
    ({ name, attached, spare, sampled, error }) =>
      name !== OPTIONAL && (sampled ? error !== undefined : !attached && (useRecords || !spare)),
  );
  if (missing.length > 0) throw new Error(missing.map((p) => p.error?.message ?? p.name).join("; "));
  return probe;
}

let shared: { readonly addon: NativeAddon; readonly probe: NativeProbe } | undefined;

/**
 * The probe that suites share, opened by the first one that needs it: in an emulated machine that takes many seconds.
 * It ends with the process.
 */
export function useProbe(): { readonly addon: () => NativeAddon; readonly probe: () => NativeProbe } {
  const get = () => {
    if (!shared) throw new Error("the probe is open only while tests run");
    return shared;
  };
  before(() => {
    const addon = requireReads();
    shared ??= { addon, probe: openProbe(addon) };
  });
  after(() => {
    shared?.probe.setTargets([]);
  });
  return { addon: () => get().addon, probe: () => get().probe };
}

/** Opens the kernel side on the tier under test, or on another one. */
export function openTestedKernel(targets: readonly WatchedTarget[], log: Log, other?: TierChoice): Kernel {
  const tier = other ?? (WANTED === "records" ? "tracing" : (WANTED as TierChoice));
  const kernel = { ...PARTS, tier, latencyBuckets: false, allowDegraded: false };
  return openKernel(other ? testedAddon() : requireReads(), { targets, kernel }, log);
}

/** A target that selects by what is given alone. */
export function watched(select: Partial<TargetConfig>, id = "test:17912"): WatchedTarget {
  return {
    select: { name: "", command: undefined, cgroup: undefined, pid: undefined, ...select },
    node: { id, cluster: "n/a", role: "n/a", type: "n/a" },
  };
}

/** Both parts, by whatever this kernel has for them. */
const PARTS = { latency: "always", syscallPrograms: true } as const;

/** The counters of the first component. */
export function readCounts(addon: NativeAddon, probe: NativeProbe): Counts {
  const values = new BigUint64Array(addon.counterNames.length);
  probe.readCounters(values);
  return Object.fromEntries(addon.counterNames.map((name, i) => [name, Number(values[i])]));
}

export function difference(after: Counts, before: Counts): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]),
  );
}

/** Pages of the target's files that something else evicted: then the truth was no longer true at the read. */
export function evictedByOthers(counts: Counts): number {
  return (counts["pages_evicted_foreign"] ?? 0) + (counts["pages_evicted_kswapd"] ?? 0);
}

/**
 * Repeats a measurement that was disturbed: on a machine with a memory reclaimer of its own (kdamond) pages
 * may vanish between the question for the truth and the read.
 */
export async function undisturbed(measure: () => Promise<Counts>): Promise<Counts> {
  for (let attempt = 1; attempt <= 8; attempt++) {
    const counts = await measure();
    if (evictedByOthers(counts) === 0) return counts;
  }
  throw new Error("other processes evicted pages of the test files in each of 8 attempts");
}
