/** When within an interval the ticks of a node come. Pure. */

/** FNV-1a, 32 bit (http://www.isthe.com/chongo/tech/comp/fnv/): few lines, and even enough to spread a fleet. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  // The low bits of FNV-1a differ little between names that differ in their last letter only.
  return (hash ^ (hash >>> 15)) >>> 0;
}

/**
 * Milliseconds from `wallMs` (since the epoch) to the next tick of a node: more than 0, at most an interval. The
 * ticks of one node always come at the same place of the wall clock's intervals, those of many nodes everywhere, so
 * that a fleet that was started at once does not write at once.
 */
export function untilTickMs(nodeId: string, intervalMs: number, wallMs: number): number {
  const phaseMs = hashOf(nodeId) % intervalMs;
  const sinceMs = (((wallMs - phaseMs) % intervalMs) + intervalMs) % intervalMs;
  return intervalMs - sinceMs;
}
