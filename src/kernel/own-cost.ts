/**
 * What the programs cost: how long they run, as the kernel adds it up. While it does so every BPF program of the
 * machine takes about 50 ns more for each event (measured: an empty one), so it is done in short windows only.
 */
import type { OwnCost } from "../model/status.js";
import { KernelError } from "./errors.js";

/** One interval in so many has a window; prime to that of the reads that are timed, whose programs cost too. */
const WINDOW_EVERY = 5;
/** Long enough to see a busy target in, and 0.2 % of the time at the default interval of 10 s. */
export const WINDOW_MS = 100;

/** The part of the addon that is used. */
export interface RunStatistics {
  beginStatistics(): void;
  endStatistics(): void;
  runTimeNs(): bigint;
}

export interface OwnCostSampling {
  /** Begins the next interval, with a window or without. */
  nextInterval(): void;
  /** Since the start; the reason where it cannot be had. */
  read(): OwnCost;
  /** Ends a window that is open; no other one follows. */
  stop(): void;
}

/**
 * The first window is in the first interval.
 * @param nowMs a clock that does not go back
 * @param startTimer does something later; returns what prevents it
 */
export function sampleOwnCost(
  statistics: RunStatistics,
  nowMs: () => number = () => performance.now(),
  startTimer: (action: () => void, delayMs: number) => () => void = unreferencedTimer,
): OwnCostSampling {
  let interval = 0;
  let runNs = 0n;
  let sampledMs = 0;
  let reason: string | undefined;
  let stopped = false;
  let open: { readonly sinceMs: number; readonly before: bigint; readonly cancel: () => void } | undefined;

  function begin(): void {
    if (open || stopped || reason !== undefined) return;
    try {
      statistics.beginStatistics();
    } catch (error) {
      // It will be refused the next time too.
      reason = KernelError.from(error, "enable", "BPF run-time statistics").message;
      return;
    }
    open = { sinceMs: nowMs(), before: statistics.runTimeNs(), cancel: startTimer(end, WINDOW_MS) };
  }
  function end(): void {
    if (!open) return;
    open.cancel();
    statistics.endStatistics();
    runNs += statistics.runTimeNs() - open.before;
    sampledMs += nowMs() - open.sinceMs;
    open = undefined;
  }

  begin();
  return {
    nextInterval() {
      interval++;
      if (interval % WINDOW_EVERY === 0) begin();
    },
    read: () =>
      reason === undefined ? { runNs: Number(runNs), sampledMs: Math.floor(sampledMs) } : { reason },
    stop() {
      end();
      stopped = true;
    },
  };
}

function unreferencedTimer(action: () => void, delayMs: number): () => void {
  const timer = setTimeout(action, delayMs).unref();
  return () => {
    clearTimeout(timer);
  };
}
