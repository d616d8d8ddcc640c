/**
 * The one gate before all calls to an endpoint: closed until some time after a failure, so that retries of
 * whatever is due never add up. Pure: times and random numbers are handed in, nothing here waits.
 */

/** First retry after U(0, 500 ms), then 1 s × 2 up to 15 s, each × U(0.5, 1.5) (docs/decisions/0002). */
const FIRST_DELAY_MS = 500;
const BASE_DELAY_MS = 1000;
const MAX_DELAY_MS = 15_000;
/** News of the connection opens the gate, but not sooner than this after the last attempt. */
const NEWS_GAP_MS = 1000;

export interface Gate {
  /** How long it stays closed, in milliseconds; 0 when it is open. */
  remainingMs(nowMs: number): number;
  /** An attempt begins. */
  attempt(nowMs: number): void;
  /** An attempt failed: closed for the next delay, or for `floorMs` if that is longer. Returns how long. */
  fail(nowMs: number, floorMs: number): number;
  /** Closed for `delayMs`, without counting a failure. */
  hold(nowMs: number, delayMs: number): void;
  /** An attempt succeeded: the next failure counts as the first. */
  succeed(): void;
  /** The connection has come up, which says more than any delay; a floor still holds. */
  ready(nowMs: number): void;
  /**
   * The connection is gone, and with it what its server had said: a floor no longer holds. What must be sent
   * again waits for the same gap, in case connections come and go.
   */
  lost(nowMs: number): void;
  /** Opens at once, floors or not: the program is about to end. */
  open(): void;
}

/** `random` gives numbers from [0, 1). */
export function createGate(random: () => number): Gate {
  let failures = 0;
  let lastAttemptMs = Number.NEGATIVE_INFINITY;
  let closedUntilMs = Number.NEGATIVE_INFINITY;
  let floorUntilMs = Number.NEGATIVE_INFINITY;

  const nextDelayMs = (): number => {
    if (failures === 1) return random() * FIRST_DELAY_MS;
    const delayMs = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (failures - 2));
    return delayMs * (0.5 + random());
  };

  return {
    remainingMs: (nowMs) => Math.max(0, closedUntilMs - nowMs),
    attempt(nowMs) {
      lastAttemptMs = nowMs;
    },
    fail(nowMs, floorMs) {
      failures++;
      floorUntilMs = nowMs + floorMs;
      closedUntilMs = nowMs + Math.max(nextDelayMs(), floorMs);
      return closedUntilMs - nowMs;
    },
    hold(nowMs, delayMs) {
      closedUntilMs = Math.max(closedUntilMs, nowMs + delayMs);
    },
    succeed() {
      failures = 0;
      floorUntilMs = Number.NEGATIVE_INFINITY;
    },
    ready(nowMs) {
      const openAtMs = Math.max(nowMs, lastAttemptMs + NEWS_GAP_MS, floorUntilMs);
      closedUntilMs = Math.min(closedUntilMs, openAtMs);
    },
    lost(nowMs) {
      const delayed = floorUntilMs > nowMs ? nowMs : closedUntilMs;
      closedUntilMs = Math.max(delayed, lastAttemptMs + NEWS_GAP_MS);
      floorUntilMs = Number.NEGATIVE_INFINITY;
    },
    open() {
      closedUntilMs = Number.NEGATIVE_INFINITY;
    },
  };
}
