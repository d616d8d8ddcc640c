/** What is sent next. Pure. */
import { isDue, type Entry, type Place } from "./queue-entry.js";

/** Who goes first where nothing has to go again. */
export type Turn = "fresh" | "backlog";

export interface SendingOrder {
  readonly entries: readonly Entry[];
  readonly kind: Turn | "again";
  /** Whether these have to keep the pace of the backlog. */
  readonly paced: boolean;
}

export interface Priorities {
  /** What nobody took, or what is begun. */
  readonly again: readonly Entry[];
  readonly turn: Turn;
  /** Time runs out. */
  readonly draining: boolean;
}

/**
 * What nobody took goes again as it was. Else the newest tick goes first, so that what people look at is fresh, and then
 * the backlog from its oldest. When time runs out it is the newest first throughout.
 */
export function sendingOrder(entries: readonly Entry[], { again, turn, draining }: Priorities): SendingOrder {
  const repeated = again.filter(isDue);
  if (repeated.length > 0) return { entries: repeated, kind: "again", paced: false };
  const newest = entries.at(-1);
  const due = entries.filter(isDue);
  if (!draining && newest && !newest.attempted && (turn === "fresh" || due.length === 1))
    return { entries: [newest], kind: "fresh", paced: false };
  if (draining) due.reverse();
  // What was refused before must not be tried without a pause, however little time there is.
  return { entries: due, kind: "backlog", paced: !draining || due[0]?.attempted !== false };
}

export interface BatchBounds {
  readonly points: number;
  readonly bytes: number;
  /** Whether a single tick that is too large is sent in parts; else it goes as it is. */
  readonly mayCut: boolean;
}

/** Takes whole ticks, which is those of their points that are due, until a batch is full; at least one, or a part. */
export function fillBatch(entries: readonly Entry[], bounds: BatchBounds): Place[] {
  const places: Place[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const due: Place[] = [];
    entry.states.forEach((state, index) => {
      if (state === "due" || state === "again") due.push({ entry, index });
    });
    if (places.length === 0 && bounds.mayCut && due.length > bounds.points)
      return due.slice(0, bounds.points);
    if (
      places.length > 0 &&
      (places.length + due.length > bounds.points || bytes + entry.bytes > bounds.bytes)
    )
      break;
    places.push(...due);
    bytes += entry.bytes;
  }
  return places;
}
