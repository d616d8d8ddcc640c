/** Small measures, ticks and a repeatable random source for the tests of delivery. */
import { parseGroup, parseMeasure, type MeasureSpec, type Schema } from "../../src/model/measure.js";
import { makeSample, tickVersion, type Tick } from "../../src/model/tick.js";

const GROUP = parseGroup("test", {
  description: "test",
  tagFamily: "default",
  identityTags: ["node_id", "cluster"].map((name) => ({ name, description: name })),
});

function count(name: string, merge: "sum" | "last" | "max" = "sum"): object {
  return { name, type: "int", unit: "pages", merge, source: [name], description: name };
}

/** Totals: two counts and a percentage. */
export const CACHE: MeasureSpec = parseMeasure("cache", {
  measure: "cache",
  description: "test",
  tags: [],
  fields: [
    count("pages_hit"),
    count("pages_missed"),
    {
      name: "hit_rate_percent",
      type: "float",
      unit: "percent",
      percent: { part: "pages_hit", whole: ["pages_hit", "pages_missed"] },
      description: "test",
    },
    count("interval_ms"),
  ],
});

/** By part: one tag of its own. */
export const PART: MeasureSpec = parseMeasure("part", {
  measure: "part",
  description: "test",
  tags: [{ name: "part", description: "test" }],
  fields: [count("reads"), count("peak", "max")],
});

export const SCHEMA: Schema = { group: GROUP, measures: [CACHE, PART] };
export const IDENTITY: readonly string[] = ["host-a:17912", "test"];

export interface TickCounts {
  readonly hit: number;
  readonly missed: number;
  /** One sample of PART for each. */
  readonly reads?: Readonly<Record<string, number>>;
}

/** The tick that ends at `timestampMs`. */
export function tickAt(timestampMs: number, counts: TickCounts, intervalMs = 10_000): Tick {
  const values: Record<string, number> = { pages_hit: counts.hit, pages_missed: counts.missed };
  const parts = Object.entries(counts.reads ?? {});
  return {
    timestampMs,
    version: tickVersion(timestampMs, 0),
    intervalMs,
    samples: [
      makeSample(CACHE, [], (source) => values[source]),
      ...parts.map(([part, reads]) =>
        makeSample(PART, [part], (source) => (source === "reads" ? reads : reads % 7)),
      ),
    ],
  };
}

/** Random numbers from [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
