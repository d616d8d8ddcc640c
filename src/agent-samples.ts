/** From what was read in one tick to the samples that are queued. Pure. */
import type { MeasureSpec, Schema } from "./model/measure.js";
import type { OwnCost, PointCounts } from "./model/status.js";
import { makeSample, type Sample } from "./model/tick.js";

/** What the sidecar knows of itself at the end of a tick; counts are since the start. */
export interface OwnNumbers {
  readonly health: "ok" | "degraded" | "failing";
  readonly probesAttached: number;
  readonly probesMissing: number;
  readonly eventsMissed: number;
  readonly ownCost: OwnCost;
  readonly points: PointCounts;
  readonly queueBytes: number;
  readonly cpuUs: number;
  readonly rssBytes: number;
}

const STATUS_CODES = { ok: 0, degraded: 1, failing: 2 } as const;

/** The measure of this name. @throws Error where schema/ has none, which is a broken installation. */
export function measureNamed(schema: Schema, name: string): MeasureSpec {
  const measure = schema.measures.find((candidate) => candidate.name === name);
  if (!measure) throw new Error(`schema/ has no measure ${name}`);
  return measure;
}

/** The heartbeat row: gauges as they are, counts as what was added since `before`. */
export function heartbeatSample(
  measure: MeasureSpec,
  now: OwnNumbers,
  before: OwnNumbers | undefined,
): Sample {
  const points = (kind: "collected" | "written" | "rejected" | "coalesced" | "dropped") =>
    now.points[kind] - (before?.points[kind] ?? 0);
  const values = new Map<string, number>([
    ...ownCostSince(now.ownCost, before?.ownCost),
    ["status", STATUS_CODES[now.health]],
    ["probes_attached", now.probesAttached],
    ["probes_missing", now.probesMissing],
    ["events_missed", now.eventsMissed - (before?.eventsMissed ?? 0)],
    ["points_collected", points("collected")],
    ["points_written", points("written")],
    ["points_rejected", points("rejected")],
    ["points_coalesced", points("coalesced")],
    ["points_dropped", points("dropped")],
    ["queue_bytes", now.queueBytes],
    ["cpu_us", now.cpuUs - (before?.cpuUs ?? 0)],
    ["rss_bytes", now.rssBytes],
  ]);
  return makeSample(measure, [], (source) => values.get(source));
}

/** Nothing where it was not measured in between: that is not 0. */
function ownCostSince(now: OwnCost, before: OwnCost | undefined): [string, number][] {
  if ("reason" in now) return [];
  const start = before === undefined || "reason" in before ? { runNs: 0, sampledMs: 0 } : before;
  if (now.sampledMs === start.sampledMs) return [];
  return [
    ["probe_run_ns", now.runNs - start.runNs],
    ["probe_sampled_ms", now.sampledMs - start.sampledMs],
  ];
}
