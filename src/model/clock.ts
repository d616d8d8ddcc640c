/**
 * Timestamps of ticks: the wall clock is read once and then advanced by the monotonic clock, so that a step
 * of the wall clock cannot make two ticks collide or run backwards; it is followed slowly. Pure: both clocks
 * are handed in.
 */

/** Share of an interval by which a timestamp may move towards the wall clock (0.5 %, see docs/decisions/0006). */
const SLEW = 0.005;

/** A wall clock that is further off than this was set, and is not followed until somebody vouches for it. */
export const STEP_MS = 300_000;

export interface ClockReading {
  /** Milliseconds since the epoch. */
  readonly wallMs: number;
  /** Milliseconds of a clock that never steps. */
  readonly monotonicMs: number;
}

export interface TickTime {
  /** Whole milliseconds since the epoch, greater than the previous one but for a `shift`. */
  readonly timestampMs: number;
  /** Whole milliseconds since the previous tick; Σ intervals = last timestamp − first anchor − Σ shifts. */
  readonly intervalMs: number;
}

/** Time as ticks have it. */
export interface Timeline {
  /** What time it is by this reading. */
  at(now: ClockReading): number;
  /** Moves all later times by whole milliseconds, backwards where negative; intervals do not change. */
  shift(byMs: number): void;
}

export interface TickClock extends Timeline {
  /** Ends an interval. */
  next(now: ClockReading): TickTime;
}

/** Where the ticks of a process before this one ended. */
export interface TickEnd {
  readonly lastTimestampMs: number;
  /** Time until then that no tick covers. */
  readonly owedMs: number;
}

/**
 * Makes a clock for ticks; `anchor` is the beginning of the first interval, unless ticks go on after those of
 * another process.
 */
export function tickClock(anchor: ClockReading, after?: TickEnd): TickClock {
  // After a wall clock that was set back, the ticks begin with it: whoever sends them must wait.
  const goesOn = after !== undefined && after.lastTimestampMs < anchor.wallMs;
  let lastMs = goesOn ? after.lastTimestampMs : Math.floor(anchor.wallMs);
  let owedMs = goesOn ? after.owedMs : 0;
  let exactMs = anchor.wallMs;
  let monotonicMs = anchor.monotonicMs;

  const at = (now: ClockReading): number => {
    const elapsed = now.monotonicMs - monotonicMs;
    const ahead = now.wallMs - (exactMs + elapsed);
    if (Math.abs(ahead) > STEP_MS) return exactMs + elapsed;
    const limit = elapsed * SLEW;
    return exactMs + elapsed + Math.max(-limit, Math.min(limit, ahead));
  };

  return {
    at,
    shift(byMs) {
      exactMs += byMs;
      lastMs += byMs;
    },
    next(now) {
      exactMs = at(now);
      monotonicMs = now.monotonicMs;
      const timestampMs = Math.max(lastMs + 1, Math.floor(exactMs));
      const intervalMs = timestampMs - lastMs + owedMs;
      owedMs = 0;
      lastMs = timestampMs;
      return { timestampMs, intervalMs };
    },
  };
}
