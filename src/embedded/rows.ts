/** The rows: which of two points with the same identity wins, how many are kept, and what retention removes. */
import type { IntervalRule } from "../gen/banyandb/common/v1/common_pb.js";
import type { StoredPoint } from "./columns.js";
import type { RecentChanges } from "./recent-changes.js";
import { durationMs, segmentFor } from "./segments.js";
import type { Segment } from "./segments.js";

export interface Row {
  readonly measureName: string;
  /** Names of the entity values (`entityValueKey`), in entity order. */
  readonly entity: readonly string[];
  readonly timestampMs: number;
  readonly version: bigint;
  readonly point: StoredPoint;
}

/** What of a group decides where its rows go and how long they stay. */
export interface Retention {
  readonly segmentInterval: IntervalRule;
  readonly ttl: IntervalRule;
}

export interface Rows {
  /** Stores the rows of one batch of one group. */
  put(group: string, retention: Retention, rows: readonly Row[]): void;
  /** Rows of a measure in no particular order, without those of segments older than the TTL. */
  find(group: string, measureName: string, retention: Retention): Row[];
  hasGroup(group: string): boolean;
  dropGroup(group: string): void;
  readonly size: number;
}

export interface RowsOptions {
  readonly changes: RecentChanges;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** Beyond this many rows the ones stored first go. */
  readonly maxRows: number;
}

/** banyand/internal/storage/rotation.go, timeEventSnapDuration, at apache/skywalking-banyandb 9ebac4516. */
const TICK_SNAP_MS = 600_000;

interface Stored {
  readonly row: Row;
  readonly group: string;
  readonly segment: Segment;
}

interface GroupState {
  segments: Segment[];
  /** Event time of the last batch that started retention. */
  tickMs: number;
}

export function createRows({ changes, now, maxRows }: RowsOptions): Rows {
  // In order of first storage: the first key is the oldest row.
  const stored = new Map<string, Stored>();
  const groups = new Map<string, GroupState>();

  function keyOf(group: string, row: Row): string {
    return JSON.stringify([group, row.measureName, row.timestampMs, ...row.entity]);
  }

  function segmentOf(group: GroupState, retention: Retention, timestampMs: number): Segment {
    const segment = segmentFor(group.segments, retention.segmentInterval, timestampMs);
    if (!group.segments.includes(segment)) group.segments.push(segment);
    return segment;
  }

  /** The segment of a stored row, while its group still has it. */
  function isLive({ group, segment }: Stored): boolean {
    return groups.get(group)?.segments.includes(segment) ?? false;
  }

  function putRow(entry: Stored): void {
    const key = keyOf(entry.group, entry.row);
    const previous = stored.get(key);
    if (previous !== undefined && previous.row.version >= entry.row.version) return;
    stored.set(key, entry);
    changes.record(() => {
      if (previous !== undefined && isLive(previous)) stored.set(key, previous);
      else stored.delete(key);
    });
    for (const oldest of stored.keys()) {
      if (stored.size <= maxRows) break;
      stored.delete(oldest);
    }
  }

  function dropSegments(groupName: string, group: GroupState, doomed: (segment: Segment) => boolean): void {
    const kept = group.segments.filter((segment) => !doomed(segment));
    if (kept.length === group.segments.length) return;
    group.segments = kept;
    for (const [key, entry] of stored) {
      if (entry.group === groupName && !isLive(entry)) stored.delete(key);
    }
  }

  /**
   * Retention as a batch starts it: it takes the newest event time of the batch for the present, so that one
   * point from beyond the TTL removes the segments of today.
   */
  function tick(groupName: string, group: GroupState, retention: Retention, eventMs: number): void {
    if (eventMs - TICK_SNAP_MS < group.tickMs) return;
    group.tickMs = eventMs;
    const deadlineMs = eventMs - durationMs(retention.ttl);
    dropSegments(groupName, group, (segment) => segment.endMs < deadlineMs);
  }

  return {
    put(groupName, retention, rows) {
      const group = groups.get(groupName) ?? { segments: [], tickMs: 0 };
      groups.set(groupName, group);
      // A segment cannot begin before 1970: such rows are acknowledged and lost.
      const storable = rows.filter((row) => row.timestampMs > 0);
      for (const row of storable) {
        putRow({ row, group: groupName, segment: segmentOf(group, retention, row.timestampMs) });
      }
      const newestMs = storable.reduce((newest, row) => Math.max(newest, row.timestampMs), 0);
      if (newestMs > 0) tick(groupName, group, retention, newestMs);
    },
    find(groupName, measureName, retention) {
      const deadlineMs = now() - durationMs(retention.ttl);
      const found: Row[] = [];
      for (const { row, group, segment } of stored.values()) {
        if (group === groupName && row.measureName === measureName && segment.endMs >= deadlineMs)
          found.push(row);
      }
      return found;
    },
    hasGroup: (groupName) => [...stored.values()].some(({ group }) => group === groupName),
    dropGroup(groupName) {
      const group = groups.get(groupName);
      if (group !== undefined) dropSegments(groupName, group, () => true);
      groups.delete(groupName);
    },
    get size() {
      return stored.size;
    },
  };
}
