/** Read latency and fadvise calls by each way that this kernel has. */
import type { KernelFacts, NativeAddon, NativeProbe } from "../../src/kernel/addon.js";
import { chooseParts } from "../../src/kernel/choose-parts.js";
import type { Extras } from "./kernel.js";

export const WAYS = ["trampolines", "kprobes", "syscall tracepoints"] as const;
export type Way = (typeof WAYS)[number];

/** How the names of the programs end that go this way. */
const ENDINGS: Readonly<Record<Way, RegExp>> = {
  trampolines: /_(fentry|fexit)$/,
  kprobes: /_(kprobe|kretprobe)$/,
  "syscall tracepoints": /_sys_(enter|exit)$/,
};

/** The programs of both parts where the kernel had but this way; undefined where it has not even that. */
export function extrasBy(way: Way, facts: KernelFacts): Extras | undefined {
  const others = Object.values(ENDINGS).filter((ending) => ending !== ENDINGS[way]);
  const hooks = facts.hooks.map((hook) =>
    others.some((ending) => ending.test(hook.program)) ? { ...hook, exists: "no" as const } : hook,
  );
  const { latency, hintCalls } = chooseParts(
    { ...facts, hooks },
    { latency: "always", syscallPrograms: true },
  );
  if (latency.state !== "programs" || hintCalls.state !== "programs") return undefined;
  return { programs: hintCalls.programs, sampled: latency.programs };
}

export interface Times {
  /** Number i holds reads of up to 2^i µs. */
  readonly buckets: readonly number[];
  readonly sumNs: number;
}

/** What was timed so far of the first identity, by outcome. */
export function readTimes(addon: NativeAddon, probe: NativeProbe): Record<string, Times> {
  const width = addon.latencyBuckets + 1;
  const values = new BigUint64Array(addon.identitiesMax * addon.readOutcomes.length * width);
  probe.readLatencies(values);
  const numbers = Array.from(values, Number);
  return Object.fromEntries(
    addon.readOutcomes.map((outcome, i) => {
      const row = numbers.slice(i * width, (i + 1) * width);
      return [outcome, { buckets: row.slice(0, -1), sumNs: row.at(-1) ?? 0 }];
    }),
  );
}

/** What hints of the first identity did so far: the counters of each advice. */
export function readHints(addon: NativeAddon, probe: NativeProbe): Record<string, Record<string, number>> {
  const width = addon.hintNames.length;
  const values = new BigUint64Array(addon.identitiesMax * addon.adviceNames.length * width);
  probe.readHints(values);
  return Object.fromEntries(
    addon.adviceNames.map((advice, row) => [
      advice,
      Object.fromEntries(addon.hintNames.map((name, i) => [name, Number(values[row * width + i])])),
    ]),
  );
}
