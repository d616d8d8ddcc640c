/** Timers as delivery needs them: handed in, so that a test can let a day pass at once. */

/** Calls `action` once after `delayMs`; the result cancels that. */
export type StartTimer = (action: () => void, delayMs: number) => () => void;

/** Longest delay of setTimeout; it fires at once for a longer one. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const startSystemTimer: StartTimer = (action, delayMs) => {
  const timer = setTimeout(action, Math.min(delayMs, MAX_TIMER_MS));
  return () => {
    clearTimeout(timer);
  };
};
