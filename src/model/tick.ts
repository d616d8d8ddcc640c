/**
 * A tick: what one interval added, as plain numbers. Ticks are what is queued; merging two of them costs
 * resolution, never a count. Pure.
 */
import { quantileBound } from "./histogram.js";
import { INTERVAL_SOURCE, type MeasureSpec } from "./measure.js";

/** Values of the group's identity tags, in their order; the first one is unique. */
export type Identity = readonly string[];

/** One future row: the sources of one series of one measure. */
export interface Sample {
  readonly measure: MeasureSpec;
  /** Whom it is about; absent: the sidecar's own identity, which the delivery knows. */
  readonly identity?: Identity | undefined;
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
  identity?: Identity,
): Sample {
  const values = new Float64Array(measure.sources.length);
  measure.sources.forEach(({ name }, i) => {
    values[i] = valueOf(name) ?? Number.NaN;
  });
  return { measure, tags, values, ...(identity && { identity }) };
}

/** Whether a sample has anything to say: some summed source is not zero, or it is a heartbeat. */
export function saysSomething({ measure, values }: Sample): boolean {
  return (
    measure.heartbeat ||
    measure.sources.some(({ merge }, i) => merge === "sum" && (values[i] ?? Number.NaN) > 0)
  );
}

/** Key of a sample's series. */
export function seriesKey({
  measure,
  identity,
  tags,
}: Pick<Sample, "measure" | "identity" | "tags">): string {
  return [measure.name, identity?.[0] ?? "", ...tags].join("\u0000");
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

function mergeInto(target: Float64Array, older: Sample, newer: Sample): void {
  newer.measure.sources.forEach(({ merge }, i) => {
    target[i] = mergeValue(merge, older.values[i] ?? Number.NaN, newer.values[i] ?? Number.NaN);
  });
}

/** Samples of one series; one of them may be absent. */
interface Pair {
  readonly older: Sample | undefined;
  newer: Sample | undefined;
}

/** In the order of the older tick. */
function pairSeries(older: Tick, newer: Tick): Pair[] {
  const pairs = older.samples.map((sample, i): Pair => ({ older: sample, newer: newer.samples[i] }));
  // As a rule two ticks have the same series in the same order.
  const alike =
    older.samples.length === newer.samples.length &&
    pairs.every((pair) => pair.older && pair.newer && isSameSeries(pair.older, pair.newer));
  if (alike) return pairs;
  const rest = new Map(newer.samples.map((sample) => [seriesKey(sample), sample]));
  for (const pair of pairs) {
    const key = pair.older ? seriesKey(pair.older) : "";
    pair.newer = rest.get(key);
    rest.delete(key);
  }
  return [...pairs, ...[...rest.values()].map((sample): Pair => ({ older: undefined, newer: sample }))];
}

function isSameSeries(a: Sample, b: Sample): boolean {
  return (
    a.measure === b.measure &&
    a.identity?.[0] === b.identity?.[0] &&
    a.tags.every((tag, i) => tag === b.tags[i])
  );
}

/**
 * Joins two neighbouring ticks that were never sent: each source by its merge rule, intervals added, the
 * newer timestamp and version kept. The result is packed.
 */
export function mergeTicks(older: Tick, newer: Tick): Tick {
  const pairs = pairSeries(older, newer);
  const { samples, slots } = allocate(pairs.flatMap((pair) => pair.newer ?? pair.older ?? []));
  pairs.forEach((pair, i) => {
    const [slot, only] = [slots[i], pair.newer ?? pair.older];
    if (!slot || !only) return;
    if (pair.older && pair.newer) mergeInto(slot, pair.older, pair.newer);
    else slot.set(only.values);
  });
  return {
    timestampMs: newer.timestampMs,
    version: newer.version,
    intervalMs: older.intervalMs + newer.intervalMs,
    samples,
  };
}

/**
 * The same tick with the values of all samples in one piece of memory: an array of its own for each sample costs
 * more than what is in it, and a queue holds very many.
 */
export function packTick(tick: Tick): Tick {
  const { samples, slots } = allocate(tick.samples);
  tick.samples.forEach(({ values }, i) => slots[i]?.set(values));
  return { ...tick, samples };
}

/** Samples like these, with room for values that are still to be set. */
function allocate(like: readonly Sample[]): { samples: Sample[]; slots: Float64Array[] } {
  const all = new Float64Array(like.reduce((sum, { values }) => sum + values.length, 0));
  let at = 0;
  const slots = like.map(({ values }) => all.subarray(at, (at += values.length)));
  const samples = like.map(({ measure, identity, tags }, i) => ({
    measure,
    tags,
    values: slots[i] ?? all,
    ...(identity && { identity }),
  }));
  return { samples, slots };
}

/**
 * Bytes of a tick and of a sample beside its values, rounded up: a packed sample holds about 200 (Node 20), and V8
 * collects late. What a full queue adds to the resident memory is in docs/decisions/0007.
 */
const TICK_BYTES = 200;
const SAMPLE_BYTES = 400;

/** Memory that a packed tick holds, in bytes; an upper estimate, by which the queue is bounded. */
export function tickBytes({ samples }: Tick): number {
  return samples.reduce(
    (sum, { values, tags }) =>
      sum + SAMPLE_BYTES + values.byteLength + tags.reduce((n, tag) => n + 2 * tag.length, 0),
    TICK_BYTES,
  );
}

/**
 * The fields of a sample in the order of its measure. Absent values are undefined: a percentage or quantile of
 * nothing, and a count of which any source is absent.
 */
export function fieldValues({ measure, values }: Sample, intervalMs: number): (number | undefined)[] {
  const result: (number | undefined)[] = [];
  for (const field of measure.fields) {
    if (field.type === "float") {
      const whole = field.whole.reduce((sum, i) => sum + (result[i] ?? Number.NaN), 0);
      result.push(percentOf(result[field.part], whole, field.complement));
    } else if (field.merge === "derive") {
      const { bounds, buckets } = measure.histogram ?? NO_HISTOGRAM;
      const counts = buckets.map((i) => values[i] ?? Number.NaN);
      result.push(quantileBound(bounds, counts, field.percent));
    } else {
      const total = field.sources.reduce(
        (sum, i) =>
          sum + (measure.sources[i]?.name === INTERVAL_SOURCE ? intervalMs : (values[i] ?? Number.NaN)),
        0,
      );
      result.push(Number.isNaN(total) ? undefined : total);
    }
  }
  return result;
}

const NO_HISTOGRAM = { bounds: [], buckets: [] };

/** 100 × part ÷ whole with three decimals, which every BanyanDB version stores exactly; or 100 less that. */
function percentOf(part: number | undefined, whole: number, complement: boolean): number | undefined {
  if (part === undefined || Number.isNaN(whole) || whole <= 0) return undefined;
  return Math.round((100_000 * (complement ? whole - part : part)) / whole) / 1000;
}
