/**
 * What our programs cost on the way of a hot read, beside the empty program of their kind: for kernels that are
 * emulated, whose time says nothing and whose ratios do.
 */
import { emptyKey, keyOf, measureInTurn, numbersOf } from "./kernel-rounds.js";
import { OTHER, OUR_TIERS, TARGET, timedOf } from "./kernel-variants.js";

/** One of our tiers on one kernel. What was not to be had is NaN here and null in JSON. */
export interface Ratios {
  readonly tier: string;
  readonly kind: string;
  /** What the empty program adds to a read of 4 KiB, in ns. */
  readonly emptyNs: number;
  /** What ours adds, as a multiple of that. */
  readonly target: number;
  readonly other: number;
  /** While each read is timed. */
  readonly targetTimed: number | null;
  /** What ours adds to a syscall that has nothing to do with files, in ns. */
  readonly syscallNs: number;
}

/** Each is a minimum already, and instructions are counted: the second round is for interrupts that met all of the first. */
const ROUNDS = 2;

/** For each tier that this kernel has. Needs root. */
export async function measureRatios(): Promise<Ratios[]> {
  const timed = (name: string) => OUR_TIERS.filter((tier) => tier.name === timedOf(name));
  const tiers = OUR_TIERS.filter(({ parts }) => !parts);
  const measured = await measureInTurn({
    rounds: ROUNDS,
    tiers: tiers.flatMap((tier) => [tier, ...timed(tier.name)]),
    roles: [TARGET, OTHER],
    withPeer: false,
  });
  const { added, timesEmpty } = numbersOf(measured);
  return tiers
    .filter(({ name }) => measured.costs.has(keyOf(name, TARGET)))
    .map(({ name, kind }) => ({
      tier: name,
      kind,
      emptyNs: added(emptyKey(kind), "pread4k"),
      target: timesEmpty(keyOf(name, TARGET), kind),
      other: timesEmpty(keyOf(name, OTHER), kind),
      targetTimed: timesEmpty(keyOf(timedOf(name), TARGET), kind),
      syscallNs: added(keyOf(name, TARGET), "getppid"),
    }));
}
