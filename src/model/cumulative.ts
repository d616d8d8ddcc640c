/** Differences of numbers that only grow, by name. Pure. */

/** Cumulative numbers; one that cannot be had is undefined. */
export type Cumulative = Readonly<Record<string, bigint | undefined>>;

/**
 * Returns a function that gives what each number grew by since its last call. A number that appears begins there; one
 * that shrinks (its source began anew, as a cgroup does) counts from zero.
 */
export function trackCumulative(
  baseline: Cumulative,
): (now: Cumulative) => Record<string, number | undefined> {
  let before = baseline;
  return (now) => {
    const grown = Object.entries(now).map(([name, value]): [string, number | undefined] => {
      if (value === undefined) return [name, undefined];
      const last = before[name] ?? value;
      return [name, Number(value < last ? value : value - last)];
    });
    before = { ...before, ...now };
    return Object.fromEntries(grown);
  };
}
