/**
 * Attaches, measures and detaches all variants in turn, again and again, so that a noisy minute spoils all alike. To be
 * judged by minima, since whoever else runs can only add.
 */
import { requireReads } from "../support/kernel.js";
import { makeFile } from "../support/reader.js";
import { EMPTY_HOOKS, startAttacher, startHotLoop, type CallCost, type HotLoop } from "./kernel-tools.js";
import {
  empty,
  nothing,
  ours,
  peersWay,
  type Durations,
  type EmptyKind,
  type OurTier,
  type Variant,
} from "./kernel-variants.js";

export type Call = keyof CallCost;

export interface Plan {
  readonly rounds: number;
  /** Besides the empty programs, and nothing at all. */
  readonly tiers: readonly OurTier[];
  /** Which of their roles the process plays; all where absent. */
  readonly roles?: readonly string[];
  readonly withPeer: boolean;
}

export interface Measured {
  /** Costs by variant and role, one for each round. */
  readonly costs: ReadonlyMap<string, readonly CallCost[]>;
  /** By tier. */
  readonly durations: ReadonlyMap<string, Durations>;
}

export const keyOf = (variant: string, role: string) => `${variant}: ${role}`;
export const emptyKey = (kind: EmptyKind) => keyOf(`empty ${kind}`, "any process");
/** What everything is compared with: measured at both ends of each round. */
const NOTHING = nothing("nothing");
const BASE = keyOf(NOTHING.name, "any process");

/** Needs root. */
export async function measureInTurn({ rounds, tiers, roles, withPeer }: Plan): Promise<Measured> {
  const addon = requireReads();
  const file = makeFile(4 << 20);
  const loop = await startHotLoop(file.path);
  const attacher = await startAttacher();
  const durations = new Map<string, Durations>();
  let variants = [
    NOTHING,
    ...(Object.keys(EMPTY_HOOKS) as EmptyKind[]).map((kind) => empty(kind, attacher)),
    ...tiers.map((tier) => {
      const own: Durations = { openMs: [], closeMs: [] };
      durations.set(tier.name, own);
      return ours(addon, tier, { loop, file: file.path, durations: own });
    }),
    ...(withPeer ? [peersWay(attacher, loop)] : []),
    NOTHING,
  ];
  const costs = new Map<string, CallCost[]>();
  for (let round = 0; round < rounds; round++) {
    const present: Variant[] = [];
    for (const variant of variants) {
      if (await measureOnce(variant, { loop, costs, roles })) present.push(variant);
      else console.log(`${variant.name}: cannot be had on this kernel`);
    }
    variants = present;
  }
  await loop.end();
  await attacher.end();
  file.remove();
  return { costs, durations };
}

interface Turn {
  readonly loop: HotLoop;
  readonly costs: Map<string, CallCost[]>;
  readonly roles: readonly string[] | undefined;
}

/** False where this kernel does not have the variant. */
async function measureOnce(variant: Variant, { loop, costs, roles }: Turn): Promise<boolean> {
  if (!(await variant.attach())) return false;
  // Whoever plays no role is measured in any case.
  const played = variant.roles.filter(
    ({ name }, _, all) => all.length === 1 || (roles?.includes(name) ?? true),
  );
  for (const role of played) {
    await role.prepare();
    const key = keyOf(variant.name, role.name);
    costs.set(key, [...(costs.get(key) ?? []), await loop.measure()]);
  }
  await variant.detach();
  return true;
}

/** Numbers of what was measured; share 0 of the rounds is the minimum, 0.5 the median. */
export interface Numbers {
  readonly ns: (key: string, call: Call, share: number) => number;
  /** More than with nothing attached. */
  readonly added: (key: string, call: Call, share?: number) => number;
  /** What it adds to a hot read of 4 KiB, as a multiple of what the empty program of that kind adds. */
  readonly timesEmpty: (key: string, kind: EmptyKind) => number;
}

export function numbersOf({ costs }: Measured): Numbers {
  const ns = (key: string, call: Call, share: number) =>
    quantile(
      (costs.get(key) ?? []).map((cost) => cost[call]),
      share,
    );
  const added = (key: string, call: Call, share = 0) => ns(key, call, share) - ns(BASE, call, share);
  return {
    ns,
    added,
    timesEmpty: (key, kind) => added(key, "pread4k") / added(emptyKey(kind), "pread4k"),
  };
}

/** Of the values in order; share 0 is the minimum. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
}
