/** The last intervals as what a person wants to see: rows by measure, and how hit rates went. Pure. */
import type { Schema } from "../model/measure.js";
import { fieldValues, seriesKey, type Sample, type Tick } from "../model/tick.js";

/** Intervals that are kept: the length of a sparkline, and what components are sorted by. */
export const INTERVALS_KEPT = 30;

/** Fields by name; an absent one is left out. */
export type Fields = Readonly<Record<string, number>>;

export interface Row {
  /** Tags beyond those of the identity, in the order of the measure; `node_id` before them where there are several. */
  readonly tags: Readonly<Record<string, string>>;
  readonly fields: Fields;
}

export interface ComponentRow extends Row {
  /** Hit rate by interval, the newest last; undefined where nothing was read. */
  readonly hitRates: readonly (number | undefined)[];
  /** pages_missed of all intervals kept. */
  readonly missedLately: number;
}

/** One target as a whole. */
export interface TotalRow {
  /** Undefined where there is one target only. */
  readonly nodeId: string | undefined;
  /** What the newest interval added. */
  readonly fields: Fields;
  /** Hit rate by interval, the newest last; undefined where nothing was read. */
  readonly hitRates: readonly (number | undefined)[];
}

export interface View {
  readonly timestampMs: number;
  readonly intervalMs: number;
  /** How long the intervals kept lasted together. */
  readonly keptMs: number;
  /** What the newest interval added, by measure; empty where nothing happened. */
  readonly measures: Readonly<Record<string, readonly Row[]>>;
  /** At least one. */
  readonly totals: readonly TotalRow[];
  /** All that did something in the intervals kept, most pages missed first. */
  readonly components: readonly ComponentRow[];
}

const TOTALS = "page_cache";
const COMPONENTS = "page_cache_component";
const HIT_RATE = "hit_rate_percent";
const MISSED = "pages_missed";

export interface History {
  /** Takes a tick; returns the view after it. */
  add(tick: Tick): View;
}

interface Interval {
  readonly intervalMs: number;
  /** By node id. */
  readonly totals: ReadonlyMap<string, Fields>;
  readonly components: ReadonlyMap<string, Row>;
}

export function createHistory({ measures }: Schema): History {
  const kept: Interval[] = [];
  return {
    add(tick) {
      const { timestampMs, intervalMs, samples } = tick;
      kept.push({ intervalMs, totals: totalsOf(tick), components: componentsOf(tick) });
      if (kept.length > INTERVALS_KEPT) kept.shift();
      const nodeIds = [...new Set(kept.flatMap(({ totals }) => [...totals.keys()]))];
      const several = nodeIds.length > 1;
      const rowsOf = (name: string) =>
        samples
          .filter(({ measure }) => measure.name === name)
          .map((sample) => rowOf(sample, intervalMs, several));
      return {
        timestampMs,
        intervalMs,
        keptMs: kept.reduce((sum, interval) => sum + interval.intervalMs, 0),
        measures: Object.fromEntries(measures.map(({ name }) => [name, rowsOf(name)])),
        totals: (several ? nodeIds : [nodeIds[0] ?? ""]).map((nodeId) => ({
          nodeId: several ? nodeId : undefined,
          fields: kept.at(-1)?.totals.get(nodeId) ?? {},
          hitRates: kept.map(({ totals }) => totals.get(nodeId)?.[HIT_RATE]),
        })),
        components: rank(kept, several),
      };
    },
  };
}

/** @param named whether the row says whose it is */
function rowOf(sample: Sample, intervalMs: number, named: boolean): Row {
  const { measure, identity, tags } = sample;
  const fields = fieldValues(sample, intervalMs);
  const own = measure.tags.map(({ name }, i): [string, string] => [name, tags[i] ?? "n/a"]);
  const [nodeId] = identity ?? [];
  return {
    tags: Object.fromEntries(named && nodeId !== undefined ? [["node_id", nodeId], ...own] : own),
    fields: Object.fromEntries(
      measure.fields.flatMap(({ name }, i): [string, number][] => {
        const value = fields[i];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  };
}

function totalsOf({ samples, intervalMs }: Tick): Map<string, Fields> {
  const totals = samples.filter(({ measure }) => measure.name === TOTALS);
  return new Map(
    totals.map((sample) => [sample.identity?.[0] ?? "", rowOf(sample, intervalMs, false).fields]),
  );
}

function componentsOf({ samples, intervalMs }: Tick): Map<string, Row> {
  const own = samples.filter(({ measure }) => measure.name === COMPONENTS);
  return new Map(own.map((sample) => [seriesKey(sample), rowOf(sample, intervalMs, true)]));
}

/** One row for each component of any interval; the fields are those of the newest one. */
function rank(kept: readonly Interval[], several: boolean): ComponentRow[] {
  const tags = new Map(
    kept
      .flatMap(({ components }) => [...components])
      .map(([key, row]) => {
        const { node_id: nodeId, ...own } = row.tags;
        return [key, several && nodeId !== undefined ? row.tags : own];
      }),
  );
  const rows = [...tags].map(([key, names]): ComponentRow => {
    const course = kept.map(({ components }) => components.get(key)?.fields ?? {});
    return {
      tags: names,
      fields: course.at(-1) ?? {},
      hitRates: course.map((fields) => fields[HIT_RATE]),
      missedLately: course.reduce((sum, fields) => sum + (fields[MISSED] ?? 0), 0),
    };
  });
  const name = (row: Row) => Object.values(row.tags).join(" ");
  return rows.sort((a, b) => b.missedLately - a.missedLately || name(a).localeCompare(name(b)));
}
