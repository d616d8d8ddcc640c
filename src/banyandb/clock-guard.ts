/**
 * Whether the wall clock may be trusted with timestamps. One point that lies later than the TTL of its group
 * makes BanyanDB drop the live segments (all versions), so a clock that nobody vouches for holds everything
 * back. Witnesses are the server's own clock and the newest row of the group. Pure (docs/decisions/0006).
 */
import { STEP_MS } from "../model/clock.js";

/** What BanyanDB was found to know of time, in milliseconds since the epoch. */
export interface Witnesses {
  /** Its own clock; undefined where it does not tell. */
  readonly serverMs: number | undefined;
  /** Newest row of the group; undefined where there is none. */
  readonly newestMs: number | undefined;
  readonly ttlMs: number;
}

export interface Suspect {
  readonly wallMs: number;
  /** What time it would be if the clock had not been set since it was last found right; undefined before. */
  readonly expectedMs: number | undefined;
}

/** A clock and a witness that differ by less agree (DESIGN: an hour). */
export const AGREEMENT_MS = 3_600_000;

/** Why the wall clock must not be trusted; undefined where it may. */
export function judgeClock({ wallMs, expectedMs }: Suspect, witnesses: Witnesses): string | undefined {
  const { serverMs, newestMs, ttlMs } = witnesses;
  const agreesWithRows = newestMs !== undefined && Math.abs(wallMs - newestMs) <= AGREEMENT_MS;
  const offMs = serverMs === undefined ? undefined : Math.abs(wallMs - serverMs);

  if (expectedMs !== undefined && Math.abs(wallMs - expectedMs) > STEP_MS) {
    const mended =
      serverMs === undefined || offMs === undefined
        ? agreesWithRows
        : offMs <= STEP_MS || offMs < Math.abs(expectedMs - serverMs);
    if (!mended) {
      const by = ahead(wallMs - expectedMs);
      return `the wall clock was set ${by}, away from that of BanyanDB; restart the sidecar if it is right now`;
    }
  }
  if (agreesWithRows) return undefined;
  if (offMs !== undefined && serverMs !== undefined && offMs > AGREEMENT_MS) {
    return `the wall clock is ${ahead(wallMs - serverMs)} of that of BanyanDB`;
  }
  if (newestMs === undefined) return undefined;
  if (serverMs === undefined) {
    return `the wall clock is ${ahead(wallMs - newestMs)} of the newest row of the group`;
  }
  // Nobody writes later than that now, so the server itself keeps rows only while its clock says so.
  if (wallMs - newestMs > ttlMs) {
    const age = span(wallMs - newestMs);
    return `the newest row of the group is ${age} old, which is more than it is kept; if that is true, choose another banyandb.group or wait until BanyanDB has removed it`;
  }
  return undefined;
}

function ahead(ms: number): string {
  return `${span(Math.abs(ms))} ${ms < 0 ? "behind" : "ahead"}`;
}

/** A span of time in the unit that suits it. */
export function span(ms: number): string {
  const units = [
    { name: "d", ms: 86_400_000 },
    { name: "h", ms: 3_600_000 },
    { name: "min", ms: 60_000 },
  ];
  const unit = units.find((candidate) => ms >= 2 * candidate.ms);
  return unit ? `${Math.round(ms / unit.ms)} ${unit.name}` : `${Math.round(ms / 1000)} s`;
}
