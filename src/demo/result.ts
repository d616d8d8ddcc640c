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

/** The counters of the kernel by the fields that are made of them. */
export function kernelByField(
  measure: MeasureSpec,
  counters: Readonly<Record<string, bigint>>,
): Record<string, number> {
  const counter = (name: string): bigint => {
    const hit = HITS[name];
    return hit ? counter(hit[0]) - counter(hit[1]) : (counters[name] ?? 0n);
  };
  return Object.fromEntries(
    countFields(measure).map(({ name, sources }) => [
      name,
      Number(sources.reduce((sum, s) => sum + counter(s), 0n)),
    ]),
  );
}

/** The sums of the same fields as they came back. */
export function storedByField(
  measure: MeasureSpec,
  sums: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(countFields(measure).map(({ name }) => [name, sums[name] ?? 0]));
}

/** Fields that are sums of counters, with the names of these. */
function countFields(measure: MeasureSpec): { name: string; sources: string[] }[] {
  return measure.fields.flatMap((field) => {
    if (field.merge === "derive") return [];
    const sources = field.sources.map((i) => measure.sources[i]?.name ?? "");
    return sources.includes(INTERVAL_SOURCE) ? [] : [{ name: field.name, sources }];
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
