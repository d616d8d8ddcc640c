/** What is attached while the hot loop runs, and the roles that the loop's process plays then. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { LatencyMode, TierChoice } from "../../src/config/config.js";
import type { NativeAddon, NativeProbe } from "../../src/kernel/addon.js";
import { chooseParts, type PartChoice, type PartChoices } from "../../src/kernel/choose-parts.js";
import { choosePrograms, COMMON_PROGRAMS, type Choice } from "../../src/kernel/choose.js";
import { kernelDeviceOfStat } from "../../src/kernel/device-numbers.js";
import { samePlace } from "../support/places.js";
import type { Attacher, EMPTY_HOOKS, HotLoop } from "./kernel-tools.js";

export interface Role {
  readonly name: string;
  prepare(): Promise<void> | void;
}

export interface Variant {
  readonly name: string;
  readonly roles: readonly Role[];
  /** False where this kernel does not have it. */
  attach(): Promise<boolean> | boolean;
  detach(): Promise<void> | void;
}

export type EmptyKind = keyof typeof EMPTY_HOOKS;
const KINDS = { tracing: "tp_btf", fentry: "fexit", kprobe: "kprobe" } as const;

const ANYBODY: readonly Role[] = [{ name: "any process", prepare: () => undefined }];
/** Numbers of processes at such a distance have their lowest bits in common. */
const DISTANCE = 64;
export const TARGET = "target";
export const LAST_TARGET = "last of 32 targets";
export const OTHER = "other process";
export const OTHER_OF_MANY = "other, 32 targets";
/** The worst that can be, by chance: all targets have the same hash, and the process too. */
const LAST_OF_HASH = "last of 32 of one hash";
const OTHER_OF_HASH = "other, 32 of its hash";

export function nothing(name: string): Variant {
  return { name, roles: ANYBODY, attach: () => true, detach: () => undefined };
}

export function empty(kind: EmptyKind, attacher: Attacher): Variant {
  return {
    name: `empty ${kind}`,
    roles: ANYBODY,
    attach: async () => (await attacher.attach(`empty_${kind}`)) > 0,
    detach: () => attacher.detach(),
  };
}

/** The peer knows its target by the name of the thread. */
export function peersWay(attacher: Attacher, loop: HotLoop): Variant {
  return {
    name: "the peer's way",
    roles: [
      { name: TARGET, prepare: () => loop.rename("banyand") },
      { name: OTHER, prepare: () => loop.rename("other") },
    ],
    attach: async () => (await attacher.attach("peer_")) > 0,
    detach: () => attacher.detach(),
  };
}

const [TIMED_BY_HOOKS, SYSCALL_PROGRAMS, TIMED] = [", timed by hooks", ", syscall programs", ", timed"];

/** Name of the variant that differs in nothing but that reads are not timed. */
export const untimedOf = (name: string) =>
  name.replace(TIMED_BY_HOOKS, "").replace(SYSCALL_PROGRAMS + TIMED, SYSCALL_PROGRAMS);

/** Name of the variant that differs in nothing but that reads are timed, by hooks of their own. */
export const timedOf = (name: string) => name + TIMED_BY_HOOKS;

export interface OurTier {
  readonly name: string;
  readonly tier: TierChoice;
  /** Of the program that it puts on the way of a read. */
  readonly kind: EmptyKind;
  readonly records?: boolean;
  /** Calls of fadvise and, unless that is off, how long reads take: then nothing is promised. */
  readonly parts?: { readonly latency: LatencyMode; readonly syscallPrograms: boolean };
}

/** Our tiers, as far as a kernel has them. */
export const OUR_TIERS: readonly OurTier[] = [
  { name: "ours, tracing", tier: "tracing", kind: "tp_btf" },
  { name: "ours, tracing by records", tier: "tracing", kind: "tracepoint", records: true },
  { name: "ours, fentry", tier: "fentry", kind: "fexit" },
  { name: "ours, kprobe", tier: "kprobe", kind: "kprobe" },
  ...(["tracing", "fentry", "kprobe"] as const).flatMap((tier): OurTier[] =>
    [
      { suffix: TIMED_BY_HOOKS, parts: { latency: "always", syscallPrograms: false } as const },
      { suffix: SYSCALL_PROGRAMS, parts: { latency: "off", syscallPrograms: true } as const },
      { suffix: SYSCALL_PROGRAMS + TIMED, parts: { latency: "always", syscallPrograms: true } as const },
    ].map(({ suffix, parts }) => ({ name: `ours, ${tier}${suffix}`, tier, kind: KINDS[tier], parts })),
  ),
];

/** Programs of the parts; undefined where they are to be had otherwise, or not at all. */
function programsOf({ latency, hintCalls }: PartChoices, bySyscalls: boolean): PartPrograms | undefined {
  const [timed, calls] = [latency, hintCalls].map((part: PartChoice) =>
    part.state === "programs" ? part.programs : [],
  );
  if (!timed || !calls || latency.state === "absent") return undefined;
  const areSyscalls = [...timed, ...calls].some((program) => program.includes("_sys_"));
  return areSyscalls === bySyscalls ? { timed, calls } : undefined;
}

interface PartPrograms {
  readonly timed: readonly string[];
  readonly calls: readonly string[];
}

const NO_PARTS: PartPrograms = { timed: [], calls: [] };

/** Of loading with attaching, and of closing, one for each round. */
export interface Durations {
  readonly openMs: number[];
  readonly closeMs: number[];
}

/** One of our tiers; every attachment adds to the durations. */
export function ours(
  addon: NativeAddon,
  { name, tier, records = false, parts }: OurTier,
  { loop, file, durations }: { readonly loop: HotLoop; readonly file: string; readonly durations: Durations },
): Variant {
  const facts = addon.probeFeatures();
  const wanted = records ? { ...facts, preemptibleRawTracepoints: "yes", preemptMode: "full" } : facts;
  const choice = choosePrograms(wanted as typeof facts, tier);
  const partPrograms = parts ? programsOf(chooseParts(facts, parts), parts.syscallPrograms) : NO_PARTS;
  let probe: NativeProbe | undefined;
  let tgid = 0;
  const counting = (role: string, tgids: () => readonly number[]): Role => ({
    name: role,
    prepare() {
      // Emptied first, so that the order of the slots is that of the list.
      probe?.setTargets([]);
      probe?.setTargets(tgids());
    },
  });
  const others = (count: number) => Array.from({ length: count }, (_, i) => tgid + (i + 1) * DISTANCE);
  return {
    name,
    roles: [
      counting(TARGET, () => [tgid]),
      counting(LAST_TARGET, () => [tgid, ...others(addon.targetsMax - 1)]),
      counting(OTHER, () => [tgid + 1]),
      counting(OTHER_OF_MANY, () => others(addon.targetsMax)),
      counting(LAST_OF_HASH, () => [tgid, ...samePlace(tgid, addon.targetsMax - 1)]),
      counting(OTHER_OF_HASH, () => samePlace(tgid, addon.targetsMax)),
    ],
    attach() {
      if (choice.tier === "none" || choice.useRecords !== records || !partPrograms) return false;
      const beginMs = performance.now();
      probe = openAll(addon, choice, partPrograms);
      if (!probe) return false;
      durations.openMs.push(performance.now() - beginMs);
      tgid = probe.tasks().find(({ pid }) => pid === loop.pid)?.tgid ?? 0;
      const { ino, dev } = statSync(dirname(file), { bigint: true });
      probe.setDirectories([{ ino, dev: kernelDeviceOfStat(dev), base: addon.identitiesMax, identity: 0 }]);
      return true;
    },
    detach() {
      const beginMs = performance.now();
      probe?.close();
      durations.closeMs.push(performance.now() - beginMs);
    },
  };
}

/** What is on no read's way; 5.10 lacks one of them, and is the tier that it is without. */
const NOT_ON_THE_WAY: readonly string[] = COMMON_PROGRAMS;

/** Undefined where something else of it cannot be attached: then it would not be that tier. */
function openAll(
  addon: NativeAddon,
  { programs, spare, useRecords }: Choice,
  { timed, calls }: PartPrograms,
): NativeProbe | undefined {
  try {
    const probe = addon.open({ programs: [...programs, ...calls], spare, sampled: timed });
    if (useRecords) probe.useRecords();
    if (timed.length > 0) probe.sample(true);
    const missing = probe.programs.filter(
      ({ name, attached, spare }) => !attached && !(spare && !useRecords) && !NOT_ON_THE_WAY.includes(name),
    );
    if (missing.length === 0) return probe;
    probe.close();
  } catch {
    // The kernel refuses this tier; the table says that it cannot be had.
  }
  return undefined;
}
