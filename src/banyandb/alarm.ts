/** A wait that can be cut short. */
import type { StartTimer } from "./timers.js";

export interface Alarm {
  /** Resolves after `delayMs`, at the next `ring`, or when the signal fires, whichever comes first. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>;
  ring(): void;
}

export function createAlarm(startTimer: StartTimer): Alarm {
  const waiting = new Set<() => void>();
  return {
    wait(delayMs, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = (): void => {
          cancel();
          waiting.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const cancel = startTimer(wake, delayMs);
        waiting.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    },
    ring() {
      for (const wake of [...waiting]) wake();
    },
  };
}
