/**
 * What gives way when the queue is full, gentlest first: resolution, then the protection of what was
 * acknowledged already, and only then counts. Pure.
 */
import { isAcknowledged, isFlying, type Entry } from "./queue-entry.js";

export type Sacrifice =
  /** Join the entry with its successor. */
  | { readonly kind: "merge"; readonly index: number }
  /** Forget an acknowledged entry before its replay window is over. */
  | { readonly kind: "release"; readonly index: number }
  /** Give up an entry, and its counts. */
  | { readonly kind: "drop"; readonly index: number };

/** Chooses what gives way next; undefined where only points in flight are left. */
export function chooseSacrifice(entries: readonly Entry[]): Sacrifice | undefined {
  const pair = smallestPair(entries);
  if (pair !== undefined) return { kind: "merge", index: pair };
  const acknowledged = entries.findIndex((entry) => isAcknowledged(entry) && !isFlying(entry));
  if (acknowledged >= 0) return { kind: "release", index: acknowledged };
  const attempted = entries.findIndex((entry) => entry.attempted && !isFlying(entry));
  if (attempted >= 0) return { kind: "drop", index: attempted };
  const untouched = entries.findIndex((entry) => !isFlying(entry));
  return untouched >= 0 ? { kind: "drop", index: untouched } : undefined;
}

/**
 * The neighbours that were never sent and together cover the shortest time, the oldest of equal ones: so a long
 * outage thins out evenly, and the newest tick is touched last.
 */
function smallestPair(entries: readonly Entry[]): number | undefined {
  let best: number | undefined;
  let bestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 1 < entries.length; i++) {
    const [older, newer] = [entries[i], entries[i + 1]];
    if (older === undefined || newer === undefined || older.attempted || newer.attempted) continue;
    const jointMs = older.tick.intervalMs + newer.tick.intervalMs;
    if (jointMs >= bestMs) continue;
    best = i;
    bestMs = jointMs;
  }
  return best;
}
