/** How much the sidecar sends, and how long an outage it bridges. Pure. */
import { createEncoder } from "../banyandb/encode.js";
import { compileMapping } from "../banyandb/rows.js";
import { wantedMeasure } from "../banyandb/schema-wanted.js";
import type { Config } from "../config/config.js";
import type { Schema } from "../model/measure.js";
import { makeSample, tickBytes, tickVersion, type Tick } from "../model/tick.js";

export interface Volume {
  readonly rowsPerDay: number;
  /** As they go over the wire; BanyanDB stores them smaller. */
  readonly bytesPerDay: number;
  readonly outage: OutageCover;
}

/** What an outage of BanyanDB costs, by its length. */
export interface OutageCover {
  /** Up to here every row is kept as it is. */
  readonly fullResolutionMs: number;
  /** From there on rows are merged, and up to here no count is lost. */
  readonly withoutLossMs: number;
  /** Interval of the widest row after an outage of that length. */
  readonly widestRowMs: number;
}

const DAY_MS = 86_400_000;

/** Counts of a busy interval: the size of a varint depends on its value. */
const BUSY = 1_000_000;

/** The most that one target gives, with a row of every measure in every interval. */
export function dailyVolume({ intervalMs, node, banyandb, queue }: Config, schema: Schema): Volume {
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
  const bytes = samples.reduce((sum, sample) => {
    const server = wantedMeasure(banyandb.group, schema.group, sample.measure);
    const mapping = compileMapping(sample.measure, schema.group, identity, server);
    return sum + encoder.row(mapping, tick, sample, 1).length;
  }, 0);
  const ticks = DAY_MS / intervalMs;
  return {
    rowsPerDay: Math.round(ticks * samples.length),
    bytesPerDay: Math.round(ticks * bytes),
    outage: outageCover(Math.floor(queue.maxBytes / tickBytes(tick)), intervalMs, queue.maxAgeMs),
  };
}

/** Merging joins the neighbours of the least joint interval, so that intervals double. */
function outageCover(ticksHeld: number, intervalMs: number, maxAgeMs: number): OutageCover {
  const fullResolutionMs = Math.min(maxAgeMs, ticksHeld * intervalMs);
  const doublings = Math.max(0, Math.ceil(Math.log2(maxAgeMs / fullResolutionMs)));
  return { fullResolutionMs, withoutLossMs: maxAgeMs, widestRowMs: intervalMs * 2 ** doublings };
}
