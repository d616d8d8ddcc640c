/** What is attached while the hot loop runs, and the roles that the loop's process plays then. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { TierChoice } from "../../src/config/config.js";
import type { NativeAddon, NativeProbe } from "../../src/kernel/addon.js";
import { choosePrograms, type Choice } from "../../src/kernel/choose.js";
import { kernelDeviceOfStat } from "../../src/kernel/device-numbers.js";
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

const ANYBODY: readonly Role[] = [{ name: "any process", prepare: () => undefined }];
/** A process is first turned away by 64 bits, one for each remainder of its number. */
const FILTER_BITS = 64;
export const TARGET = "target";
export const OTHER = "other process";

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

/** Our tiers, each with the kind of program that it puts on the way of a read. */
export const OUR_TIERS: readonly {
  readonly name: string;
  readonly tier: TierChoice;
  readonly kind: EmptyKind;
  readonly records?: boolean;
}[] = [
  { name: "ours, tracing", tier: "tracing", kind: "tp_btf" },
  { name: "ours, tracing by records", tier: "tracing", kind: "tracepoint", records: true },
  { name: "ours, fentry", tier: "fentry", kind: "fexit" },
  { name: "ours, kprobe", tier: "kprobe", kind: "kprobe" },
];

/** Of loading with attaching, and of closing, one for each round. */
export interface Durations {
  readonly openMs: number[];
  readonly closeMs: number[];
}

/** One of our tiers; every attachment adds to the durations. */
export function ours(
  addon: NativeAddon,
  { name, tier, records = false }: (typeof OUR_TIERS)[number],
  { loop, file, durations }: { readonly loop: HotLoop; readonly file: string; readonly durations: Durations },
): Variant {
  const facts = addon.probeFeatures();
  const wanted = records ? { ...facts, preemptibleRawTracepoints: "yes", preemptMode: "full" } : facts;
  const choice = choosePrograms(wanted as typeof facts, tier);
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
  const sameBit = (count: number) => Array.from({ length: count }, (_, i) => tgid + (i + 1) * FILTER_BITS);
  return {
    name,
    roles: [
      counting(TARGET, () => [tgid]),
      counting(`last of ${addon.targetsMax} targets`, () => [tgid, ...sameBit(addon.targetsMax - 1)]),
      counting(OTHER, () => [tgid + 1]),
      counting(`other, ${addon.targetsMax} targets of its bit`, () => sameBit(addon.targetsMax)),
    ],
    attach() {
      if (choice.tier === "none" || choice.useRecords !== records) return false;
      const beginMs = performance.now();
      probe = openAll(addon, choice);
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

/** Undefined where not all of it can be attached: then it would not be that tier. */
function openAll(addon: NativeAddon, { programs, spare, useRecords }: Choice): NativeProbe | undefined {
  try {
    const probe = addon.open({ programs, spare });
    if (useRecords) probe.useRecords();
    if (probe.programs.every((program) => program.attached || (program.spare && !useRecords))) return probe;
    probe.close();
  } catch {
    // The kernel refuses this tier; the table says that it cannot be had.
  }
  return undefined;
}
