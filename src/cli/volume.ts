/** How much the sidecar sends. Pure. */
import { createEncoder } from "../banyandb/encode.js";
import { compileMapping } from "../banyandb/rows.js";
import { wantedMeasure } from "../banyandb/schema-wanted.js";
import type { Config } from "../config/config.js";
import type { Schema } from "../model/measure.js";
import { makeSample, tickVersion, type Tick } from "../model/tick.js";

export interface Volume {
  readonly rowsPerDay: number;
  /** As they go over the wire; BanyanDB stores them smaller. */
  readonly bytesPerDay: number;
}

const DAY_MS = 86_400_000;

/** Counts of a busy interval: the size of a varint depends on its value. */
const BUSY = 1_000_000;

/** The most that one target gives, with a row of every measure in every interval. */
export function dailyVolume({ intervalMs, node, banyandb }: Config, schema: Schema): Volume {
  const encoder = createEncoder();
  const identity = [node.id, node.cluster, node.role, node.type];
  const timestampMs = DAY_MS * 20_000;
  const samples = schema.measures.map((measure) =>
    makeSample(
      measure,
      measure.tags.map(() => "n/a"),
      () => BUSY,
    ),
  );
  const tick: Tick = { timestampMs, version: tickVersion(timestampMs, 1), intervalMs, samples };
  const tickBytes = samples.reduce((sum, sample) => {
    const server = wantedMeasure(banyandb.group, schema.group, sample.measure);
    const mapping = compileMapping(sample.measure, schema.group, identity, server);
    return sum + encoder.row(mapping, tick, sample, 1).length;
  }, 0);
  const ticks = DAY_MS / intervalMs;
  return { rowsPerDay: Math.round(ticks * samples.length), bytesPerDay: Math.round(ticks * tickBytes) };
}
