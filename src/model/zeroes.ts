/** A count of 0 for each name, so that a name that never occurred is known to be 0. */
export function zeroes<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
}
