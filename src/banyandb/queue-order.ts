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

/**
 * What goes again before anything else: while nobody answers what was sent last, and while all is refused one of
 * two batches in turn. So an outage of any kind costs no more ticks than these the chance to be merged, and a
 * single point that is refused for ever does not stand in the way of the others.
 */
export function repeats(tried: readonly (readonly Entry[])[], lastAnswered: boolean): readonly Entry[] {
  if (!lastAnswered) return tried.at(-1) ?? [];
  return tried.length >= 2 ? (tried[0] ?? []) : [];
}

/** Takes whole ticks, which is those of their points that are due, until a batch is full; at least one. */
export function fillBatch(entries: readonly Entry[], maxPoints: number, maxBytes: number): Place[] {
  const places: Place[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const due: Place[] = [];
    entry.states.forEach((state, index) => {
      if (state === "due" || state === "again") due.push({ entry, index });
    });
    if (places.length > 0 && (places.length + due.length > maxPoints || bytes + entry.bytes > maxBytes))
      break;
    places.push(...due);
    bytes += entry.bytes;
  }
  return places;
}
