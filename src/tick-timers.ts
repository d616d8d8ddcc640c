/** The timers of the agent: the ticks, and the look at the target's processes. */

export interface TickTimers {
  setInterval(intervalMs: number): void;
  stop(): void;
}

export interface TickTimersOptions {
  readonly intervalMs: number;
  /** Time until the first tick of such an interval, more than 0. */
  readonly untilFirstMs: (intervalMs: number) => number;
  readonly tick: () => void;
  readonly follow: () => void;
}

/** How often the target's processes are looked for. */
const FOLLOW_MS = 1000;

/** Starts both. A late tick is followed by one tick, not by many. */
export function startTickTimers({ untilFirstMs, tick, follow, ...initial }: TickTimersOptions): TickTimers {
  let { intervalMs } = initial;
  /** When the first tick of this interval is due, and how many came since. */
  let firstMs = 0;
  let turn = -1;
  let timer: NodeJS.Timeout;
  let stopped = false;
  const arm = () => {
    const elapsedMs = performance.now() - firstMs;
    // A timer may fire a little early: the same turn must not come twice.
    turn = Math.max(turn, Math.floor(elapsedMs / intervalMs)) + 1;
    timer = setTimeout(
      () => {
        tick();
        arm();
      },
      turn * intervalMs - elapsedMs,
    );
  };
  const begin = () => {
    firstMs = performance.now() + untilFirstMs(intervalMs);
    turn = -1;
    arm();
  };
  begin();
  const follower = setInterval(follow, FOLLOW_MS);
  return {
    setInterval(wantedMs) {
      if (stopped || wantedMs === intervalMs) return;
      clearTimeout(timer);
      intervalMs = wantedMs;
      begin();
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      clearInterval(follower);
    },
  };
}
