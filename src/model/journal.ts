/** What outlives a crash of the sidecar, as the layers see it. Pure. */
import type { Sample, Tick } from "./tick.js";

/** The journal, as delivery sees it. A tick is known by its version. */
export interface TickJournal {
  /** How many of these ticks, from the first on, there is room to note; those that are noted need none. */
  admit(ticks: readonly Tick[]): number;
  /** Notes ticks that are going to be sent, and that must be sent again if this process dies. */
  begin(ticks: readonly Tick[]): void;
  /** What a tick counted is stored, rejected or given up, for good. */
  settle(tick: Tick): void;
}

/** What was left by the process before. */
export interface Resumption {
  /** Ticks that may or may not be stored, oldest first: they are to be sent again as they are. */
  readonly unsettled: readonly Tick[];
  /** Latest timestamp that was ever sent. */
  readonly lastTimestampMs: number;
  /** Time until then that no tick covers: the sum of the intervals of ticks that were lost with their process. */
  readonly owedMs: number;
}

/** What all ticks so far have counted of the sources of a series, one each; undefined where it has none. */
export type Taken = (series: Pick<Sample, "measure" | "identity" | "tags">) => bigint[] | undefined;
