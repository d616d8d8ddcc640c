/**
 * From cumulative kernel counters to what one interval added. Pure.
 *
 * The kernel counts requested and missed pages at different moments of a read, and a read-out may fall
 * between them. So hits are not a difference of two deltas, which could be negative, but the growth of the
 * running maximum of (requested - missed): never negative, and exact once the read is over.
 */

/** Shape of a read-out: `values[component * names.length + counter]`. Without components nothing is counted. */
export interface CounterLayout {
  readonly names: readonly string[];
  /** The most that there can be; a read-out may hold fewer. */
  readonly components: number;
}

/** Counts of one component; one value per name of `CountTracker.names`. */
export interface ComponentCounts {
  readonly component: number;
  readonly counts: Float64Array;
}

export interface CountTracker {
  /** Names of the layout, then those that are computed here. */
  readonly names: readonly string[];
  /** What was added since the previous read-out, for each component where anything was. */
  advance(reading: BigUint64Array): ComponentCounts[];
}

/** Counters that grow as the running maximum of the difference of two others. */
const RUNNING_MAXIMA = [
  { name: "reads_hit", of: "reads", less: "reads_missed" },
  { name: "pages_hit", of: "pages_requested", less: "pages_missed" },
] as const;

/** Makes a tracker whose first interval begins at `baseline`. */
export function trackCounts(layout: CounterLayout, baseline: BigUint64Array): CountTracker {
  if (layout.components === 0) return { names: [], advance: () => [] };
  const width = layout.names.length;
  const previous = new BigUint64Array(layout.components * width);
  previous.set(baseline);
  const maxima = RUNNING_MAXIMA.map(({ of, less }) => ({
    of: counterIndex(layout, of),
    less: counterIndex(layout, less),
    reached: new Array<bigint>(layout.components).fill(0n),
  }));
  for (const maximum of maxima) {
    for (let c = 0; c < baseline.length / width; c++) grow(maximum, c, baseline, width);
  }

  return {
    names: [...layout.names, ...RUNNING_MAXIMA.map(({ name }) => name)],
    advance(reading) {
      const result: ComponentCounts[] = [];
      for (let component = 0; component < reading.length / width; component++) {
        const counts = new Float64Array(width + maxima.length);
        let any = false;
        for (let i = 0; i < width; i++) {
          const at = component * width + i;
          const now = reading[at] ?? 0n;
          const delta = now - (previous[at] ?? 0n);
          previous[at] = now;
          if (delta === 0n) continue;
          counts[i] = Number(delta);
          any = true;
        }
        if (!any) continue;
        maxima.forEach((maximum, k) => {
          counts[width + k] = Number(grow(maximum, component, reading, width));
        });
        result.push({ component, counts });
      }
      return result;
    },
  };
}

function counterIndex(layout: CounterLayout, name: string): number {
  const index = layout.names.indexOf(name);
  if (index < 0) throw new Error(`the kernel layout has no counter ${name}`);
  return index;
}

function grow(
  { of, less, reached }: { of: number; less: number; reached: bigint[] },
  component: number,
  reading: BigUint64Array,
  width: number,
): bigint {
  const now = (reading[component * width + of] ?? 0n) - (reading[component * width + less] ?? 0n);
  const before = reached[component] ?? 0n;
  if (now <= before) return 0n;
  reached[component] = now;
  return now - before;
}
