/** Ticks of the measures in schema/, for tests of what shows or stores them. */
import { measureNamed } from "../../src/agent-samples.js";
import { readSchema } from "../../src/config/schema-files.js";
import { makeSample, tickVersion, type Sample, type Tick } from "../../src/model/tick.js";

export const SCHEMA = readSchema();

/** A sample in which every source is `counts[source]`, else `rest`; absent where both are undefined. */
export function sampleOf(
  measure: string,
  tags: readonly string[],
  counts: Readonly<Record<string, number>>,
  rest?: number,
): Sample {
  return makeSample(measureNamed(SCHEMA, measure), tags, (source) => counts[source] ?? rest);
}

export function tickOf(timestampMs: number, samples: readonly Sample[], intervalMs = 1000): Tick {
  return { timestampMs, version: tickVersion(timestampMs, 0), intervalMs, samples };
}
