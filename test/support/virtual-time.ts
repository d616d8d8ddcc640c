/** Time that passes only when a test says so: a day of delivery takes as long as its work. */
import type { StartTimer } from "../../src/banyandb/timers.js";
import type { ClockReading } from "../../src/model/clock.js";

export interface VirtualTime {
  /** Milliseconds since the beginning. */
  readonly nowMs: () => number;
  /** Milliseconds since the epoch. */
  readonly wallMs: () => number;
  readonly clock: () => ClockReading;
  readonly startTimer: StartTimer;
  /** Lets `ms` pass: runs every timer that is due, and what follows from it, then calls `afterEach`. */
  pass(ms: number, afterEach?: () => void): Promise<void>;
}

/** 2026-08-01, so that no row is older than the time to live. */
const EPOCH_MS = 1_785_542_400_000;

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
  cancelled: boolean;
}

export function createVirtualTime(): VirtualTime {
  let nowMs = 0;
  /** The next one last. */
  const timers: Timer[] = [];

  const startTimer: StartTimer = (action, delayMs) => {
    const timer: Timer = { atMs: nowMs + Math.max(0, delayMs), action, cancelled: false };
    timers.splice(firstNotLater(timers, timer.atMs), 0, timer);
    return () => {
      timer.cancelled = true;
    };
  };

  return {
    nowMs: () => nowMs,
    wallMs: () => EPOCH_MS + nowMs,
    clock: () => ({ wallMs: EPOCH_MS + nowMs, monotonicMs: nowMs }),
    startTimer,
    async pass(ms, afterEach = () => undefined) {
      const endMs = nowMs + ms;
      await settled();
      for (let next = timers.at(-1); next && next.atMs <= endMs; next = timers.at(-1)) {
        nowMs = next.atMs;
        for (let due = timers.at(-1); due?.atMs === nowMs; due = timers.at(-1)) {
          timers.pop();
          if (!due.cancelled) due.action();
        }
        await settled();
        afterEach();
      }
      nowMs = endMs;
    },
  };
}

/** Where a timer for `atMs` goes: before those that are due earlier or, being older, at the same time. */
function firstNotLater(timers: readonly Timer[], atMs: number): number {
  let [low, high] = [0, timers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timers[middle]?.atMs ?? 0) > atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Every promise that can go on has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
