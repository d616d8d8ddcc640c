/** Where the kernel side looks for a process (bpf/page_cache.h, PLACE_OF). */
const placeOf = (tgid: number) => Math.imul(tgid, 0x9e3779b1) >>> 24;

/** The next numbers of processes that share a place with this one. */
export function samePlace(tgid: number, count: number): number[] {
  const found: number[] = [];
  for (let other = tgid + 1; found.length < count; other++)
    if (placeOf(other) === placeOf(tgid)) found.push(other);
  return found;
}
