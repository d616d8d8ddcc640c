/** When reads are timed, and for how long they were. */
import type { LatencyMode } from "../config/config.js";

/** Reads are timed in one interval of so many. */
export const SAMPLED_INTERVAL = 6;

export interface Sampling {
  /** Ends the timing that is for one interval only; before that interval is read out. */
  endInterval(): void;
  /** Begins the next interval, timed or not. */
  nextInterval(): void;
  /** Time in which reads were timed since the start, in whole milliseconds. */
  sampledMs(): bigint;
  /** Ends all timing for good. */
  stop(): void;
}

/**
 * Begins with an interval that is timed.
 * @param attach lets reads be timed, or no more; returns whether they are
 */
export function startSampling(
  mode: LatencyMode,
  attach: (on: boolean) => boolean,
  nowMs: () => number,
): Sampling {
  let beforeMs = 0;
  let sinceMs: number | undefined;
  let interval = 0;
  let stopped = false;

  function begin(): void {
    if (attach(true)) sinceMs = nowMs();
  }
  function end(): void {
    if (sinceMs === undefined) return;
    beforeMs += nowMs() - sinceMs;
    sinceMs = undefined;
    attach(false);
  }

  if (mode !== "off") begin();
  return {
    endInterval() {
      if (mode === "sampled") end();
    },
    nextInterval() {
      interval++;
      if (!stopped && mode === "sampled" && interval % SAMPLED_INTERVAL === 0) begin();
    },
    sampledMs: () => BigInt(Math.floor(beforeMs + (sinceMs === undefined ? 0 : nowMs() - sinceMs))),
    stop() {
      stopped = true;
      end();
    },
  };
}
