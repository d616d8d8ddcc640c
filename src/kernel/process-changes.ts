/** When to look for the targets' processes again. Pure: times and the count of changes are handed in. */

/** For what no program tells: a fork without an execve, a new name, a move to another cgroup. */
const LOOK_ANYWAY_MS = 10_000;
/** So many looks after a change: a process that has ended is listed for a moment more. */
const LOOKS_AFTER_CHANGE = 2;

export interface ProcessChanges {
  /** Whether to look now. */
  isDue(nowMs: number): boolean;
  /** That look is over, and went well; else the next call is due too. */
  looked(): void;
}

/** @param changes grows when a process executes and when a target ends; undefined where nobody counts that */
export function watchChanges(changes: () => number | undefined): ProcessChanges {
  let known: number | undefined;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let looksLeft = 0;
  /** As of the last question: what changes during the look is for the next one. */
  let asked: { readonly count: number | undefined; readonly nowMs: number } | undefined;
  return {
    isDue(nowMs) {
      const count = changes();
      asked = { count, nowMs };
      return count === undefined || count !== known || looksLeft > 0 || nowMs - lookedMs >= LOOK_ANYWAY_MS;
    },
    looked() {
      if (!asked) return;
      looksLeft = asked.count === known ? Math.max(0, looksLeft - 1) : LOOKS_AFTER_CHANGE - 1;
      known = asked.count;
      lookedMs = asked.nowMs;
    },
  };
}
