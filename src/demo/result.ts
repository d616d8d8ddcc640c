/** What the demo found: what the kernel counted beside what the server stored. Pure. */
import { INTERVAL_SOURCE, type MeasureSpec } from "../model/measure.js";
import type { PointCounts } from "../model/status.js";

export interface DemoResult {
  readonly tier: string;
  readonly target: { readonly description: string; readonly pids: readonly number[] };
  readonly sink: {
    readonly kind: "embedded" | "banyandb";
    readonly address: string;
    readonly version: string | undefined;
  };
  readonly ticks: number;
  readonly points: Readonly<Record<string, number>>;
  /** By field: a fresh read of the kernel's counters after the counting ended, less the baseline. */
  readonly kernel: Readonly<Record<string, number>>;
  /** By field: the sum of all rows that a query of the server returned. */
  readonly stored: Readonly<Record<string, number>>;
}

/** Hits as the kernel's counters tell them once all reads are over. */
const HITS: Readonly<Record<string, readonly [of: string, less: string]>> = {
  reads_hit: ["reads", "reads_missed"],
  pages_hit: ["pages_requested", "pages_missed"],
};

/** Counters of /proc/PID/io, which go on where the programs have ended. */
const ONGOING = ["storage_read_bytes", "storage_write_bytes"];

/**
 * The counters of the kernel by the fields that are made of them. Of a target that runs on only those that stand
 * still once the programs have ended: the others are no longer those of the last row.
 */
export function kernelByField(
  measure: MeasureSpec,
  counters: Readonly<Record<string, bigint>>,
  targetRunsOn = false,
): Record<string, number> {
  const counter = (name: string): bigint => {
    const hit = HITS[name];
    return hit ? counter(hit[0]) - counter(hit[1]) : (counters[name] ?? 0n);
  };
  return Object.fromEntries(
    countFields(measure, targetRunsOn).map(({ name, sources }) => [
      name,
      Number(sources.reduce((sum, s) => sum + counter(s), 0n)),
    ]),
  );
}

/** The sums of the same fields as they came back. */
export function storedByField(
  measure: MeasureSpec,
  sums: Readonly<Record<string, number>>,
  targetRunsOn = false,
): Record<string, number> {
  return Object.fromEntries(countFields(measure, targetRunsOn).map(({ name }) => [name, sums[name] ?? 0]));
}

/** Fields that are sums of counters, with the names of these. */
function countFields(measure: MeasureSpec, targetRunsOn: boolean): { name: string; sources: string[] }[] {
  return measure.fields.flatMap((field) => {
    if (field.merge === "derive") return [];
    const sources = field.sources.map((i) => measure.sources[i]?.name ?? "");
    const left = targetRunsOn ? [INTERVAL_SOURCE, ...ONGOING] : [INTERVAL_SOURCE];
    return sources.some((source) => left.includes(source)) ? [] : [{ name: field.name, sources }];
  });
}

export function pointNumbers(points: PointCounts): Record<string, number> {
  const { collected, written, rejected, coalesced, dropped, queued, inFlight } = points;
  return { collected, written, rejected, coalesced, dropped, queued, in_flight: inFlight };
}

/** Fields whose stored sum is not what the kernel counted, one line each. */
export function differences({ kernel, stored }: Pick<DemoResult, "kernel" | "stored">): string[] {
  return Object.entries(kernel)
    .filter(([name, value]) => stored[name] !== value)
    .map(([name, value]) => `${name}: the kernel counted ${value}, stored are ${stored[name] ?? "none"}`);
}
