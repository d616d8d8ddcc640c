/**
 * What a stop of the server forgets. A real one keeps rows and schema in memory for some seconds before
 * they reach the disk, has no write-ahead log and does not flush when it stops.
 */

export interface RecentChanges {
  /** Notes a change just made, and how to take it back. */
  record(undo: () => void): void;
  /** Takes back everything that is not yet as old as the flush interval, the newest first. */
  undo(): void;
}

interface Change {
  readonly atMs: number;
  readonly undo: () => void;
}

/**
 * @param flushMs age from which a change is safe, in milliseconds
 * @param now wall clock in milliseconds
 */
export function createRecentChanges(flushMs: number, now: () => number): RecentChanges {
  let changes: Change[] = [];

  function forgetSettled(): void {
    const settledUntilMs = now() - flushMs;
    const firstRecent = changes.findIndex((change) => change.atMs > settledUntilMs);
    if (firstRecent !== 0) changes = firstRecent < 0 ? [] : changes.slice(firstRecent);
  }

  return {
    record(undo) {
      // Once for each flush interval is enough: a scan for every row would be quadratic.
      const oldest = changes[0];
      if (oldest !== undefined && oldest.atMs <= now() - 2 * flushMs) forgetSettled();
      changes.push({ atMs: now(), undo });
    },
    undo() {
      forgetSettled();
      for (const change of changes.reverse()) change.undo();
      changes = [];
    },
  };
}
