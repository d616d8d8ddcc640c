/**
 * A tick: what one interval added, as plain numbers. Ticks are what is queued; merging two of them costs
 * resolution, never a count. Pure.
 */
import { INTERVAL_SOURCE, type MeasureSpec } from "./measure.js";

/** One future row: the sources of one series of one measure. */
export interface Sample {
  readonly measure: MeasureSpec;
  /** Values of `measure.tags`, same order; the identity tags are not part of a sample. */
  readonly tags: readonly string[];
  /** One value per `measure.sources`, same order; NaN means absent. `interval_ms` stays NaN: the tick has it. */
  readonly values: Float64Array;
}

export interface Tick {
  /** End of the interval, whole milliseconds since the epoch, strictly increasing from tick to tick. */
  readonly timestampMs: number;
  /** Decides between two writes of the same row; fixed when the tick is made. */
  readonly version: bigint;
  readonly intervalMs: number;
  readonly samples: readonly Sample[];
}

/** Makes a sample from named values; a source without a value is absent. */
export function makeSample(
  measure: MeasureSpec,
  tags: readonly string[],
  valueOf: (source: string) => number | undefined,
): Sample {
  const values = Float64Array.from(measure.sources, ({ name }) => valueOf(name) ?? Number.NaN);
  return { measure, tags, values };
}

/** Whether a sample has anything to say: some summed source is not zero, or it is a heartbeat. */
export function saysSomething({ measure, values }: Sample): boolean {
  return (
    measure.heartbeat ||
    measure.sources.some(({ merge }, i) => merge === "sum" && (values[i] ?? Number.NaN) > 0)
  );
}

/** Key of a sample's series within the identity of the target. */
export function seriesKey({ measure, tags }: Sample): string {
  return [measure.name, ...tags].join("\u0000");
}

/**
 * The version of a tick: milliseconds shifted by 20 bits, plus a sequence number, so that a later tick
 * always wins and retries (which keep it) never do. 2^63 is not reached for 200 years.
 */
export function tickVersion(timestampMs: number, sequence: number): bigint {
  return (BigInt(timestampMs) << 20n) | BigInt(sequence & 0xfffff);
}

/** The same counts at another time; only for a tick that was never sent. */
export function restampTick(tick: Tick, timestampMs: number): Tick {
  return { ...tick, timestampMs, version: tickVersion(timestampMs, Number(tick.version & 0xfffffn)) };
}

function mergeValue(rule: "sum" | "last" | "max", older: number, newer: number): number {
  if (Number.isNaN(older)) return newer;
  if (Number.isNaN(newer)) return older;
  switch (rule) {
    case "sum":
      return older + newer;
    case "max":
      return Math.max(older, newer);
    case "last":
      return newer;
  }
}

function mergeSamples(older: Sample, newer: Sample): Sample {
  const values = Float64Array.from(newer.measure.sources, ({ merge }, i) =>
    mergeValue(merge, older.values[i] ?? Number.NaN, newer.values[i] ?? Number.NaN),
  );
  return { measure: newer.measure, tags: newer.tags, values };
}

/**
 * Joins two neighbouring ticks that were never sent: each source by its merge rule, intervals added, the
 * newer timestamp and version kept.
 */
export function mergeTicks(older: Tick, newer: Tick): Tick {
  const merged = new Map(older.samples.map((sample) => [seriesKey(sample), sample]));
  for (const sample of newer.samples) {
    const key = seriesKey(sample);
    const before = merged.get(key);
    merged.set(key, before ? mergeSamples(before, sample) : sample);
  }
  return {
    timestampMs: newer.timestampMs,
    version: newer.version,
    intervalMs: older.intervalMs + newer.intervalMs,
    samples: [...merged.values()],
  };
}

/** Bytes of a tick object and of a sample object beside its values (measured on Node 20, rounded up). */
const TICK_BYTES = 200;
const SAMPLE_BYTES = 250;

/** Memory that a tick holds, in bytes; an upper estimate, by which the queue is bounded. */
export function tickBytes({ samples }: Tick): number {
  return samples.reduce(
    (sum, { values, tags }) =>
      sum + SAMPLE_BYTES + values.byteLength + tags.reduce((n, tag) => n + 2 * tag.length, 0),
    TICK_BYTES,
  );
}

/**
 * The fields of a sample in the order of its measure. Absent values are undefined: a percentage of nothing,
 * and a count of which any source is absent.
 */
export function fieldValues({ measure, values }: Sample, intervalMs: number): (number | undefined)[] {
  const result: (number | undefined)[] = [];
  for (const field of measure.fields) {
    if (field.type === "int") {
      const total = field.sources.reduce(
        (sum, i) =>
          sum + (measure.sources[i]?.name === INTERVAL_SOURCE ? intervalMs : (values[i] ?? Number.NaN)),
        0,
      );
      result.push(Number.isNaN(total) ? undefined : total);
    } else {
      const whole = field.whole.reduce((sum, i) => sum + (result[i] ?? Number.NaN), 0);
      result.push(percentOf(result[field.part], whole));
    }
  }
  return result;
}

/** 100 × part ÷ whole with three decimals, which every BanyanDB version stores exactly. */
function percentOf(part: number | undefined, whole: number): number | undefined {
  if (part === undefined || Number.isNaN(whole) || whole <= 0) return undefined;
  return Math.round((100_000 * part) / whole) / 1000;
}
