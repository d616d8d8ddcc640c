/**
 * The time segments of a group: rows live in them, and retention removes whole segments. Their edges follow
 * the local time of the server (banyand/internal/storage/storage.go, IntervalRule.Standard and NextTime, and
 * segment.go, create, at apache/skywalking-banyandb 9ebac4516).
 */
import { IntervalRule_Unit } from "../gen/banyandb/common/v1/common_pb.js";
import type { IntervalRule } from "../gen/banyandb/common/v1/common_pb.js";

export interface Segment {
  readonly startMs: number;
  /** First millisecond that is not in it. */
  readonly endMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;

/** The length of a rule, a day taken as 24 hours. */
export function durationMs(rule: IntervalRule): number {
  return rule.num * HOUR_MS * (rule.unit === IntervalRule_Unit.DAY ? DAY_HOURS : 1);
}

/** Local midnight `days` days after 1970-01-01. */
function midnightMs(days: number): number {
  return new Date(1970, 0, 1 + days).getTime();
}

/** Local full hour `hours` hours after 1970-01-01 00:00. */
function fullHourMs(hours: number): number {
  return new Date(1970, 0, 1, hours).getTime();
}

/** The segment of the grid of `rule` that holds `timestampMs`. */
function gridSegment(rule: IntervalRule, timestampMs: number): Segment {
  const at = new Date(timestampMs);
  if (rule.unit === IntervalRule_Unit.DAY) {
    const midnight = new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
    // Rounded: a day with a change of the clock has 23 or 25 hours.
    const days = Math.round((midnight - midnightMs(0)) / (DAY_HOURS * HOUR_MS));
    const first = Math.floor(days / rule.num) * rule.num;
    return { startMs: midnightMs(first), endMs: midnightMs(first + rule.num) };
  }
  const fullHour = new Date(at.getFullYear(), at.getMonth(), at.getDate(), at.getHours()).getTime();
  const hours = Math.floor((fullHour - fullHourMs(0)) / HOUR_MS);
  const first = Math.floor(hours / rule.num) * rule.num;
  return { startMs: fullHourMs(first), endMs: fullHourMs(first + rule.num) };
}

/**
 * The segment among `existing` that holds `timestampMs`, or a new one of the grid, cut where a neighbour of
 * an older interval is in its way.
 */
export function segmentFor(existing: readonly Segment[], rule: IntervalRule, timestampMs: number): Segment {
  const holding = existing.find(({ startMs, endMs }) => startMs <= timestampMs && timestampMs < endMs);
  if (holding !== undefined) return holding;
  const grid = gridSegment(rule, timestampMs);
  const before = existing.filter(({ endMs }) => endMs <= timestampMs).map(({ endMs }) => endMs);
  const after = existing.filter(({ startMs }) => startMs > timestampMs).map(({ startMs }) => startMs);
  return { startMs: Math.max(grid.startMs, ...before), endMs: Math.min(grid.endMs, ...after) };
}
