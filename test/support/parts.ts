/** Read latency and fadvise calls by each way that this kernel has. */
import type { KernelFacts, NativeAddon, NativeProbe } from "../../src/kernel/addon.js";
import { chooseParts, type PartChoice } from "../../src/kernel/choose-parts.js";
import type { Extras } from "./kernel.js";

export const WAYS = ["trampolines", "kprobes", "syscall tracepoints"] as const;
export type Way = (typeof WAYS)[number];

/** How the names of the programs end that go this way. */
const ENDINGS: Readonly<Record<Way, RegExp>> = {
  trampolines: /_(fentry|fexit)$/,
  kprobes: /_(kprobe|kretprobe)$/,
  "syscall tracepoints": /_sys_(enter|exit)$/,
};

/** The programs of both parts where the kernel had but this way; undefined where it has neither by it. */
export function extrasBy(way: Way, facts: KernelFacts): Extras | undefined {
  const others = Object.values(ENDINGS).filter((ending) => ending !== ENDINGS[way]);
  const hooks = facts.hooks.map((hook) =>
    others.some((ending) => ending.test(hook.program)) ? { ...hook, exists: "no" as const } : hook,
  );
  const { latency, hintCalls } = chooseParts(
    { ...facts, hooks },
    { latency: "always", syscallPrograms: true },
  );
  const programsOf = (part: PartChoice) => (part.state === "programs" ? part.programs : []);
  const [programs, sampled] = [programsOf(hintCalls), programsOf(latency)];
  return programs.length + sampled.length > 0 ? { programs, sampled } : undefined;
}

export interface Times {
  /** Number i holds reads of up to 2^i µs. */
  readonly buckets: readonly number[];
  readonly sumNs: number;
}

/** Upper bounds of the buckets, in µs (bpf/page_cache.h, LATENCY_BUCKETS). */
export const BOUNDS = Array.from({ length: 28 }, (_, i) => 2 ** i);

export const NOTHING: Times = { buckets: [], sumNs: 0 };

export function differenceOf(
  after: Record<string, Times>,
  before: Record<string, Times>,
): Record<string, Times> {
  return Object.fromEntries(
    Object.entries(after).map(([outcome, { buckets, sumNs }]) => {
      const earlier = before[outcome] ?? NOTHING;
      const added = buckets.map((reads, i) => reads - (earlier.buckets[i] ?? 0));
      return [outcome, { buckets: added, sumNs: sumNs - earlier.sumNs }];
    }),
  );
}

export const countOf = ({ buckets }: Times): number => buckets.reduce((sum, reads) => sum + reads, 0);

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
