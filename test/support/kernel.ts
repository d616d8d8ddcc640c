/** What kernel tests share: the loaded addon, and counters by name. They fail, not skip, without BPF. */
import { loadAddon, type NativeAddon, type NativeProbe } from "../../src/kernel/addon.js";
import { choosePrograms } from "../../src/kernel/choose.js";
import { packageRoot } from "./package-root.js";

export type Counts = Readonly<Record<string, number>>;

/** Loads the addon and insists that this kernel and this user can load the tracing tier. */
export function requireTracing(): NativeAddon {
  const addon = loadAddon(packageRoot);
  const choice = choosePrograms(addon.probeFeatures());
  if (choice.tier !== "tracing") {
    throw new Error(`kernel tests need the tracing tier: ${choice.reasons.get("kernel") ?? ""}`);
  }
  return addon;
}

/** Opens a probe with everything attached. */
export function openProbe(addon: NativeAddon): NativeProbe {
  const probe = addon.open({ programs: choosePrograms(addon.probeFeatures()).programs });
  const missing = probe.programs.filter((program) => !program.attached);
  if (missing.length > 0) throw new Error(missing.map((p) => p.error?.message ?? p.name).join("; "));
  return probe;
}

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
