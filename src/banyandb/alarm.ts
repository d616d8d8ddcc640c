/** A wait that can be cut short. */

export interface Alarm {
  /** Resolves after `delayMs`, at the next `ring`, or when the signal fires, whichever comes first. */
  wait(delayMs: number, signal: AbortSignal): Promise<void>;
  ring(): void;
}

/** Longest delay of setTimeout; it fires at once for a longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export function createAlarm(): Alarm {
  const waiting = new Set<() => void>();
  return {
    wait(delayMs, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          waiting.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const timer = setTimeout(wake, Math.min(delayMs, MAX_TIMER_MS));
        waiting.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    },
    ring() {
      for (const wake of [...waiting]) wake();
    },
  };
}
