/** What of the queue waits for the audit, and what its answers mean. Pure. */
import { sampleAt, type BatchPoint, type Entry } from "./queue-entry.js";

/** Acknowledged points whose window is over: whole ticks from the oldest, about `maxPoints`, at least one tick. */
export function waitingForAudit(entries: readonly Entry[], maxPoints: number): BatchPoint[] {
  const points: BatchPoint[] = [];
  for (const entry of entries) {
    if (!entry.settled) continue;
    if (points.length > 0 && points.length + entry.states.length > maxPoints) break;
    entry.states.forEach((state, i) => {
      if (state === "written") points.push({ tick: entry.tick, sample: sampleAt(entry, i) });
    });
  }
  return points;
}

/**
 * The entries that were asked about, with the indexes of their points that are not stored. What a lost connection
 * has made due again meanwhile is left out.
 */
export function auditResults(
  entries: readonly Entry[],
  points: readonly BatchPoint[],
  isStored: (point: BatchPoint) => boolean,
): { readonly entry: Entry; readonly absent: readonly number[] }[] {
  const asked = new Map(points.map((point) => [point.sample, point]));
  const results: { entry: Entry; absent: number[] }[] = [];
  for (const entry of entries) {
    if (!entry.settled) continue;
    const answers = entry.states.map((state, i) =>
      state === "written" ? asked.get(sampleAt(entry, i)) : undefined,
    );
    if (answers.every((point) => point === undefined)) continue;
    const absent = answers.flatMap((point, i) => (point && !isStored(point) ? [i] : []));
    results.push({ entry, absent });
  }
  return results;
}
