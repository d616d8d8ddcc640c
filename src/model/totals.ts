/** What /metrics shows: everything since the start, and the latest interval. Pure. */
import { mergeTicks, type Tick } from "./tick.js";

export interface Totals {
  /** All ticks since the start merged into one: its sums are the cumulative counters. */
  readonly total: Tick;
  /** The newest tick: gauges and percentages speak of it. */
  readonly latest: Tick;
}

/** Adds a tick; `before` is undefined for the first one. */
export function addToTotals(before: Totals | undefined, tick: Tick): Totals {
  return { total: before ? mergeTicks(before.total, tick) : tick, latest: tick };
}
