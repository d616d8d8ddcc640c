/** What /metrics shows: everything since the start, and the latest interval. Pure. */
import { seriesKey, type Sample, type Tick } from "./tick.js";

/** Everything that one series added since the start. */
export interface SeriesTotal {
  /** The newest sample of the series. */
  readonly sample: Sample;
  /**
   * By `measure.sources`: the sum of one that is summed, exact beyond 2^53, which bytes reach in months; undefined
   * for the others and for what was never had.
   */
  readonly sums: readonly (bigint | undefined)[];
}

export interface Totals {
  /** By `seriesKey`, in the order of first appearance. */
  readonly series: ReadonlyMap<string, SeriesTotal>;
  /** The newest tick: gauges and percentages speak of it. */
  readonly latest: Tick;
}

/** Adds a tick; `before` is undefined for the first one. */
export function addToTotals(before: Totals | undefined, tick: Tick): Totals {
  const series = new Map(before?.series);
  for (const sample of tick.samples) {
    const key = seriesKey(sample);
    series.set(key, { sample, sums: addUp(series.get(key)?.sums, sample) });
  }
  return { series, latest: tick };
}

function addUp(before: SeriesTotal["sums"] = [], { measure, values }: Sample): SeriesTotal["sums"] {
  return measure.sources.map(({ merge }, i) => {
    const added = values[i] ?? Number.NaN;
    if (merge !== "sum" || Number.isNaN(added)) return before[i];
    return (before[i] ?? 0n) + BigInt(Math.round(added));
  });
}
