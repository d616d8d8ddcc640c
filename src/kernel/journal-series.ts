/** The series of the journal: each has a number, and the sum of what is settled of each of its sources. Pure. */
import { SAMPLED_SOURCE, type MeasureSpec, type Schema } from "../model/measure.js";
import { seriesKey, type Identity, type Sample } from "../model/tick.js";

export interface JournalSeries {
  readonly index: number;
  readonly measure: MeasureSpec;
  /** Never absent: that of the sidecar may be another one next time. */
  readonly identity: Identity;
  readonly tags: readonly string[];
  /** One per `measure.sources`; 0 for those that are not summed. Modulo 2^64. */
  readonly settled: BigInt64Array;
}

export interface SeriesTable {
  /** The series of a sample; a new one where there is none yet. */
  of(sample: Pick<Sample, "measure" | "identity" | "tags">): JournalSeries;
  all(): readonly JournalSeries[];
  /** Bytes of the names of all series, and of their sums. */
  bytes(): number;
}

/** Bytes of a series besides its tags, in JSON. */
const ROW_BYTES = 16;

/** @param own identity of samples that have none */
export function createSeriesTable(own: Identity): SeriesTable {
  const byKey = new Map<string, JournalSeries>();
  const all: JournalSeries[] = [];
  let bytes = 0;
  return {
    of({ measure, identity = own, tags }) {
      // By the whole identity: rows with another cluster are other rows.
      const key = [measure.name, ...identity, ...tags].join("\u0000");
      const known = byKey.get(key);
      if (known) return known;
      const settled = new BigInt64Array(measure.sources.length);
      const series = { index: all.length, measure, identity, tags, settled };
      all.push(series);
      byKey.set(key, series);
      bytes += ROW_BYTES + JSON.stringify([identity, tags]).length * 3 + settled.byteLength;
      return series;
    },
    all: () => all,
    bytes: () => bytes,
  };
}

/** What identifies a series for whoever counts it: of the identity the first value alone. */
export function countedKey(series: JournalSeries, own: Identity): string {
  const { measure, identity, tags } = series;
  return seriesKey({ measure, identity: identity[0] === own[0] ? own : identity, tags });
}

/** Adds the summed sources of a sample to what is settled of its series, or takes them away. */
export function bookSample(sums: BigInt64Array, { measure, values }: Sample, sign: 1n | -1n): void {
  measure.sources.forEach(({ name, merge }, i) => {
    const value = values[i] ?? Number.NaN;
    if (merge === "sum" && name !== SAMPLED_SOURCE && value !== 0 && !Number.isNaN(value)) {
      sums[i] = (sums[i] ?? 0n) + sign * BigInt(Math.round(value));
    }
  });
}

/** How a measure and its sources were named when the state was written. */
export interface StoredMeasure {
  readonly name: string;
  readonly sources: readonly string[];
}

/** Where each stored source is now; undefined where the measure is gone, -1 where the source is. */
export function sourcePlaces(
  schema: Schema,
  { name, sources }: StoredMeasure,
): { readonly measure: MeasureSpec; readonly places: readonly number[] } | undefined {
  const measure = schema.measures.find((candidate) => candidate.name === name);
  if (!measure) return undefined;
  return {
    measure,
    places: sources.map((source) => measure.sources.findIndex((candidate) => candidate.name === source)),
  };
}
