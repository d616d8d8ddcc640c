/** The value, which a test relies on to be there. */
export function present<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("a value that the test needs is absent");
  return value;
}
