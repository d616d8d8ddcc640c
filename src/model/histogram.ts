/** Counts in buckets, and the quantiles that can be told from them. Pure. */

/** Name of the source that counts what is above the bound below and at most `bound`. */
export function bucketSource(bound: number): string {
  return `le_${bound}`;
}

/**
 * Upper bound of the bucket that holds the quantile by nearest rank: of n values in order, the one at place
 * ceil(percent × n ÷ 100). So it is never below the true quantile, and 100 gives the bound of the largest value.
 * Undefined where nothing was counted, or a count is absent.
 */
export function quantileBound(
  bounds: readonly number[],
  counts: readonly number[],
  percent: number,
): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  // Whole numbers up to here, so that no place is rounded up by mistake.
  const place = Math.ceil((percent * total) / 100);
  let below = 0;
  return bounds.find((_, i) => place > 0 && (below += counts[i] ?? Number.NaN) >= place);
}
