/** How much cumulative numbers have grown lately, so that what went wrong once does not count for ever. Pure. */

export interface RecentGrowth<K extends string> {
  /** Ends an interval; the numbers are since the start. */
  record(numbers: Readonly<Record<K, number>>): void;
  /** Growth over the last intervals that have ended, and since. */
  until(numbers: Readonly<Record<K, number>>): Readonly<Record<K, number>>;
}

/** Remembers `intervals` ends of intervals; everything is 0 before the first one. */
export function recentGrowth<K extends string>(intervals: number, keys: readonly K[]): RecentGrowth<K> {
  const zero = Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
  const ends: Readonly<Record<K, number>>[] = [zero];
  return {
    record(numbers) {
      ends.push(numbers);
      if (ends.length > intervals) ends.shift();
    },
    until(numbers) {
      const before = ends[0] ?? zero;
      return Object.fromEntries(keys.map((key) => [key, numbers[key] - before[key]])) as Record<K, number>;
    },
  };
}
