/** What goes again before anything else, by what became of the batches so far. Pure. */
import type { Answer } from "./outcome.js";
import type { Entry } from "./queue-entry.js";

export interface Try {
  readonly entries: readonly Entry[];
  /** Those of them that had more points due than there was room for. */
  readonly cut: readonly Entry[];
}

export interface Tries {
  first(): readonly Entry[];
  /** Takes how a batch ended, and whether any of its points was accepted or rejected for good. */
  ended(tried: Try, answer: Answer, taken: boolean): void;
}

/**
 * While nobody answers it is what was sent last, or as much of it as still may be sent at once; while all is refused one
 * of two batches in turn. So an outage of any kind costs no more ticks than these the chance to be merged, and a single
 * point that is refused for ever does not stand in the way of the others. A tick that goes in parts is finished before
 * another one is begun, for the same reason.
 */
export function createTries(): Tries {
  /** Batches of which nothing was taken, since something last was. */
  let vain: readonly (readonly Entry[])[] = [];
  let lastAnswered = true;
  let begun: readonly Entry[] = [];
  return {
    first() {
      if (!lastAnswered) return vain.at(-1) ?? [];
      return vain.length >= 2 ? (vain[0] ?? []) : begun;
    },
    ended({ entries, cut }, answer, taken) {
      // The latest of several that have a tick in common stands for all of them.
      const apart = vain.filter((batch) => !batch.some((entry) => entries.includes(entry)));
      vain = taken ? [] : [...apart, entries];
      begun = taken ? cut : [];
      lastAnswered = answer !== "none";
    },
  };
}
