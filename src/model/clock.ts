/**
 * Timestamps of ticks: the wall clock is read once and then advanced by the monotonic clock, so that a step
 * of the wall clock cannot make two ticks collide or run backwards; it is followed slowly. Pure: both clocks
 * are handed in.
 */

/** Share of an interval by which a timestamp may move towards the wall clock (0.5 %, see docs/decisions/). */
const SLEW = 0.005;

export interface ClockReading {
  /** Milliseconds since the epoch. */
  readonly wallMs: number;
  /** Milliseconds of a clock that never steps. */
  readonly monotonicMs: number;
}

export interface TickTime {
  /** Whole milliseconds since the epoch, greater than the previous one. */
  readonly timestampMs: number;
  /** Whole milliseconds since the previous tick; Σ intervals = last timestamp − first anchor. */
  readonly intervalMs: number;
}

/** Returns a function that gives each tick its time; `anchor` is the beginning of the first interval. */
export function tickClock(anchor: ClockReading): (now: ClockReading) => TickTime {
  let lastMs = Math.floor(anchor.wallMs);
  let exactMs = anchor.wallMs;
  let monotonicMs = anchor.monotonicMs;
  return (now) => {
    const elapsed = now.monotonicMs - monotonicMs;
    monotonicMs = now.monotonicMs;
    const ahead = now.wallMs - (exactMs + elapsed);
    const limit = elapsed * SLEW;
    exactMs += elapsed + Math.max(-limit, Math.min(limit, ahead));
    const timestampMs = Math.max(lastMs + 1, Math.floor(exactMs));
    const intervalMs = timestampMs - lastMs;
    lastMs = timestampMs;
    return { timestampMs, intervalMs };
  };
}
