/** What goes next, by what became of the batches so far. Pure. */
import type { Answer } from "./outcome.js";
import type { Entry } from "./queue-entry.js";
import type { SendingOrder, Turn } from "./queue-order.js";

export interface Try {
  readonly kind: SendingOrder["kind"];
  readonly entries: readonly Entry[];
  /** Those of them that had more points due than there was room for. */
  readonly cut: readonly Entry[];
}

export interface Result {
  /** Whether any of its points was accepted, or rejected for good. */
  readonly taken: boolean;
  /** Whether a tick has come meanwhile. */
  readonly newerCame: boolean;
}

export interface Tries {
  /** What goes again before anything else. */
  first(): readonly Entry[];
  turn(): Turn;
  ended(tried: Try, answer: Answer, result: Result): void;
}

/**
 * While nobody answers it is what was sent last, or as much of it as still may be sent at once; while all is refused one
 * of two batches in turn. So an outage of any kind costs no more ticks than these the chance to be merged, and a single
 * point that is refused for ever does not stand in the way of the others. A tick that goes in parts is finished before
 * another one is begun, for the same reason.
 *
 * The backlog has its turn after a fresh tick that took until the next one came: on a way that carries less than the
 * ticks have, nothing of it would go otherwise.
 */
export function createTries(): Tries {
  /** Batches of which nothing was taken, since something last was. */
  let vain: readonly (readonly Entry[])[] = [];
  let lastAnswered = true;
  let begun: readonly Entry[] = [];
  let turn: Turn = "fresh";
  /** Whether it is the newest tick that is under way, or begun. */
  let isFresh = false;
  return {
    first() {
      if (!lastAnswered) return vain.at(-1) ?? [];
      return vain.length >= 2 ? (vain[0] ?? []) : begun;
    },
    turn: () => turn,
    ended({ kind, entries, cut }, answer, { taken, newerCame }) {
      // The latest of several that have a tick in common stands for all of them.
      const apart = vain.filter((batch) => !batch.some((entry) => entries.includes(entry)));
      vain = taken ? [] : [...apart, entries];
      begun = taken ? cut : [];
      lastAnswered = answer !== "none";
      isFresh = taken && (kind === "fresh" || (kind === "again" && isFresh));
      turn = isFresh && begun.length === 0 && newerCame ? "backlog" : "fresh";
    },
  };
}
