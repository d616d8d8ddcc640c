/** From the timed reads of the kernel to samples of read_latency and read_latency_bucket. Pure. */
import { measureNamed } from "./agent-samples.js";
import type { IdentityReading } from "./kernel/kernel.js";
import { trackCumulative, type Cumulative } from "./model/cumulative.js";
import { bucketSource } from "./model/histogram.js";
import { SAMPLED_SOURCE, type Schema } from "./model/measure.js";
import { makeSample, type Identity, type Sample } from "./model/tick.js";

const BUCKETS = "read_latency_bucket";

type Timed = IdentityReading["timed"];

/**
 * Returns a function that makes the samples of read_latency, of what was timed for an identity since its last call: of
 * all outcomes, or none where no read was.
 */
export function trackLatency(
  schema: Schema,
  start: Timed,
): (now: Timed, sampledMs: number | undefined, identity: Identity) => Sample[] {
  const measure = measureNamed(schema, "read_latency");
  const bounds = measure.histogram?.bounds ?? [];
  const outcomes = Object.keys(start).map((outcome) => ({
    outcome,
    grown: trackCumulative(cumulativeOf(start, outcome, bounds)),
  }));
  return (now, sampledMs, identity) => {
    const timed = outcomes.map(({ outcome, grown }) => ({
      outcome,
      values: grown(cumulativeOf(now, outcome, bounds)),
    }));
    const any = timed.some(({ values }) => bounds.some((bound) => (values[bucketSource(bound)] ?? 0) > 0));
    return (any ? timed : []).map(({ outcome, values }) => {
      const valueOf = (name: string) => (name === SAMPLED_SOURCE ? sampledMs : values[name]);
      return makeSample(measure, [outcome], valueOf, identity);
    });
  };
}

/**
 * Returns a function that puts behind each sample of read_latency those of its buckets, where their measure is wanted.
 * They have no history of their own, so that the measure can be switched on at any time.
 */
export function bucketsOf(schema: Schema): (samples: readonly Sample[]) => readonly Sample[] {
  const measure = measureNamed(schema, "read_latency");
  const bucketMeasure = schema.measures.find(({ name }) => name === BUCKETS);
  if (!bucketMeasure) return (samples) => samples;
  const bounds = measure.histogram?.bounds ?? [];
  const places = bounds.map((bound) => measure.sources.findIndex(({ name }) => name === bucketSource(bound)));

  const bucketSamples = ({ tags, values, identity }: Sample): Sample[] =>
    bounds.map((bound, i) => {
      const reads = values[places[i] ?? -1];
      return makeSample(
        bucketMeasure,
        [...tags, String(bound)],
        (name) => (name === "reads" ? reads : undefined),
        identity,
      );
    });
  return (samples) =>
    samples.flatMap((sample) => (sample.measure === measure ? [sample, ...bucketSamples(sample)] : [sample]));
}

/** By the names of the sources of read_latency. */
function cumulativeOf(timed: Timed, outcome: string, bounds: readonly number[]): Cumulative {
  const reads = timed[outcome];
  return {
    ...Object.fromEntries(bounds.map((bound, i) => [bucketSource(bound), reads?.buckets[i]])),
    // Whole microseconds of the cumulative time, so that nothing is lost to rounding.
    latency_sum_us: reads && reads.sumNs / 1000n,
  };
}
