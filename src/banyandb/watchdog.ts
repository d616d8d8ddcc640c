/**
 * When to give up a channel and open another: grpc-js has no limit for a connection that is never made, and a
 * half-open one stays READY (measured; docs/decisions/0002). Pure.
 */

/** Deadlines missed in a row that make a channel suspect. */
const MAX_DEADLINES = 3;
/** A connection that is not made within this time hangs. */
const MAX_CONNECTING_MS = 20_000;
/** Not more often than this: a channel that hangs in CONNECTING leaves its socket behind. */
const MIN_REOPEN_GAP_MS = 60_000;

export interface Watchdog {
  /** A call ended with this gRPC code. */
  ended(code: string): void;
  /** Whether the channel is connecting at this time. */
  connecting(isConnecting: boolean, nowMs: number): void;
  /** When to open a new channel, if nothing changes until then; undefined while nothing is suspect. */
  dueAtMs(): number | undefined;
  /** Whether to open a new channel now; counts as done when it says so. */
  reopen(nowMs: number): boolean;
}

export function createWatchdog(): Watchdog {
  let deadlines = 0;
  let connectingSinceMs: number | undefined;
  let reopenedMs = Number.NEGATIVE_INFINITY;

  const suspectAtMs = (): number | undefined => {
    if (deadlines >= MAX_DEADLINES) return Number.NEGATIVE_INFINITY;
    return connectingSinceMs === undefined ? undefined : connectingSinceMs + MAX_CONNECTING_MS;
  };
  const dueAtMs = (): number | undefined => {
    const atMs = suspectAtMs();
    return atMs === undefined ? undefined : Math.max(atMs, reopenedMs + MIN_REOPEN_GAP_MS);
  };

  return {
    ended(code) {
      deadlines = code === "DEADLINE_EXCEEDED" ? deadlines + 1 : 0;
    },
    connecting(isConnecting, nowMs) {
      connectingSinceMs = isConnecting ? (connectingSinceMs ?? nowMs) : undefined;
    },
    dueAtMs,
    reopen(nowMs) {
      const atMs = dueAtMs();
      if (atMs === undefined || atMs > nowMs) return false;
      reopenedMs = nowMs;
      deadlines = 0;
      connectingSinceMs = undefined;
      return true;
    },
  };
}
