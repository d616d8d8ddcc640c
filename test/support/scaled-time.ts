/** Time that passes faster than the real one for as long as wanted; timers keep to it. */
import type { StartTimer } from "../../src/banyandb/timers.js";
import type { ClockReading } from "../../src/model/clock.js";

export interface ScaledTime {
  readonly clock: () => ClockReading;
  readonly startTimer: StartTimer;
  /** So many milliseconds pass in a real one from now on. */
  setRate(rate: number): void;
}

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
  handle: NodeJS.Timeout | undefined;
}

/** Begins at `wallMs`, at the rate of 1. */
export function createScaledTime(wallMs: number): ScaledTime {
  const timers = new Set<Timer>();
  let rate = 1;
  let passedMs = 0;
  let sinceMs = performance.now();

  const nowMs = (): number => passedMs + (performance.now() - sinceMs) * rate;
  const arm = (timer: Timer): void => {
    clearTimeout(timer.handle);
    const fire = (): void => {
      timers.delete(timer);
      timer.action();
    };
    timer.handle = setTimeout(fire, Math.max(0, (timer.atMs - nowMs()) / rate));
  };

  return {
    clock: () => ({ wallMs: wallMs + nowMs(), monotonicMs: nowMs() }),
    startTimer(action, delayMs) {
      const timer: Timer = { atMs: nowMs() + delayMs, action, handle: undefined };
      timers.add(timer);
      arm(timer);
      return () => {
        timers.delete(timer);
        clearTimeout(timer.handle);
      };
    },
    setRate(wanted) {
      passedMs = nowMs();
      sinceMs = performance.now();
      rate = wanted;
      for (const timer of timers) arm(timer);
    },
  };
}
