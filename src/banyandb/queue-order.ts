/** What is sent next. Pure. */
import { isDue, type Entry, type Place } from "./queue-entry.js";

export interface SendingOrder {
  readonly entries: readonly Entry[];
  /** Whether these have to keep the pace of the backlog. */
  readonly paced: boolean;
}

/**
 * What nobody took goes again as it was (`repeated`). Else the newest tick goes first, so that what people look at is
 * fresh, and then the backlog from its oldest. When time runs out (`draining`) it is the newest first throughout.
 */
export function sendingOrder(
  entries: readonly Entry[],
  repeated: readonly Entry[],
  draining: boolean,
): SendingOrder {
  const again = repeated.filter(isDue);
  if (again.length > 0) return { entries: again, paced: false };
  const newest = entries.at(-1);
  if (!draining && newest && !newest.attempted) return { entries: [newest], paced: false };
  const due = entries.filter(isDue);
  if (draining) due.reverse();
  // What was refused before must not be tried without a pause, however little time there is.
  return { entries: due, paced: !draining || due[0]?.attempted !== false };
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
