/** A histogram with fixed bounds. Pure. */
import type { HistogramStatus } from "../model/status.js";

export interface Histogram {
  observe(value: number): void;
  read(): HistogramStatus;
}

/** @param bounds upper bounds, ascending; each is part of its bucket */
export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  return {
    observe(value) {
      const found = bounds.findIndex((bound) => value <= bound);
      const at = found < 0 ? bounds.length : found;
      counts[at] = (counts[at] ?? 0) + 1;
      sum += value;
    },
    read: () => ({ bounds, counts: [...counts], sum }),
  };
}
