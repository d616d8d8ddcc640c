/** How long reads take, as the sampled programs count it. */
import type { LatencyMode } from "../config/config.js";
import type { NativeAddon, NativeProbe } from "./addon.js";
import type { TimedReads } from "./kernel.js";
import { startSampling, type Sampling } from "./latency-sampling.js";

export interface Latency extends Omit<Sampling, "sampledMs"> {
  /** As of `Sampling`; undefined where no reads are timed. */
  sampledMs(): bigint | undefined;
  /** Reads by outcome, of each identity; empty where none are timed. */
  read(): Record<string, TimedReads>[];
}

/** Begins to time reads by the sampled programs of the probe; does nothing where it has none. */
export function timeReads(addon: NativeAddon, native: NativeProbe, mode: LatencyMode): Latency {
  const programs = native.programs.filter(({ sampled }) => sampled);
  const possible = programs.length > 0 && programs.every(({ error }) => error === undefined);
  const sampling = startSampling(
    possible ? mode : "off",
    (on) => native.sample(on),
    () => performance.now(),
  );
  return {
    ...sampling,
    sampledMs: () => (possible ? sampling.sampledMs() : undefined),
    read: () => (possible ? readIdentities(addon, native) : []),
  };
}

function readIdentities(
  { identitiesMax, readOutcomes: outcomes, latencyBuckets }: NativeAddon,
  native: NativeProbe,
): Record<string, TimedReads>[] {
  const width = latencyBuckets + 1;
  const values = new BigUint64Array(identitiesMax * outcomes.length * width);
  native.readLatencies(values);
  const row = (at: number): TimedReads => {
    const [...buckets] = values.subarray(at, at + latencyBuckets);
    return { buckets, sumNs: values[at + latencyBuckets] ?? 0n };
  };
  return Array.from({ length: identitiesMax }, (_, identity) =>
    Object.fromEntries(
      outcomes.map((outcome, i) => [outcome, row((identity * outcomes.length + i) * width)]),
    ),
  );
}
