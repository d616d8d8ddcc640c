/** Holds ticks back while the wall clock cannot be trusted, and gives them their right time once it can. */
import { STEP_MS, type ClockReading, type Timeline } from "../model/clock.js";
import type { Log } from "../model/log.js";
import type { ClockStatus } from "../model/status.js";
import { AGREEMENT_MS, judgeClock, span } from "./clock-guard.js";
import type { Testimony } from "./clock-witness.js";
import type { TickQueue } from "./queue.js";

export interface ClockKeeperParts {
  readonly queue: TickQueue;
  readonly clock: () => ClockReading;
  readonly timeline: Timeline;
  /** The program cannot run before it was built. */
  readonly builtMs: number;
  readonly log: Log;
}

export interface ClockKeeper {
  /** Looks at the clocks; true where they have changed so much that the verdict may be another one now. */
  observe(): boolean;
  /**
   * Why nothing may be written, undefined where it may. Asks the witnesses where that must be known anew.
   * @throws what `ask` throws
   */
  check(ask: () => Promise<Testimony>): Promise<string | undefined>;
  status(): ClockStatus;
}

export function createClockKeeper({ queue, clock, timeline, builtMs, log }: ClockKeeperParts): ClockKeeper {
  /** Whether the timeline was found right once; from then on it cannot step. */
  let verified = false;
  let reason: string | undefined;
  /** By how much the wall clock was ahead of the timeline when the verdict was given. */
  let judgedGapMs = 0;

  const gapMs = (now: ClockReading): number => now.wallMs - timeline.at(now);

  const hold = (why: string, now: ClockReading): string => {
    if (reason === undefined) {
      log.warn("nothing is written until the wall clock is right", {
        reason: why,
        wall_clock: isoTime(now.wallMs),
      });
    }
    reason = why;
    judgedGapMs = gapMs(now);
    return why;
  };

  const release = (now: ClockReading): void => {
    if (reason !== undefined) log.info("the wall clock is right again", { wall_clock: isoTime(now.wallMs) });
    reason = undefined;
    judgedGapMs = gapMs(now);
  };

  const beforeBuild = (now: ClockReading): string | undefined =>
    now.wallMs < builtMs
      ? `the wall clock is before the build of this program, ${isoTime(builtMs)}`
      : undefined;

  /** Moves timeline and waiting ticks to the wall clock; why not yet, where that must wait. */
  const anchor = (now: ClockReading, { ownNewestMs }: Testimony): string | undefined => {
    const gap = Math.round(gapMs(now));
    const shiftMs = Math.abs(gap) > STEP_MS ? gap : 0;
    // Rows far ahead are not ours to wait for: they come from a clock that was wrong, or not yet watched.
    const isNear = ownNewestMs !== undefined && ownNewestMs - now.wallMs <= AGREEMENT_MS;
    const floorMs = Math.max(isNear ? ownNewestMs : 0, queue.lastSentMs() ?? 0);
    const newestMs = queue.newestUnsentMs();
    const lastMs = newestMs === undefined ? Math.floor(now.wallMs) : newestMs + shiftMs;
    if (lastMs <= floorMs)
      return `rows of this node are stored for the next ${span(floorMs - lastMs)} already`;
    timeline.shift(shiftMs);
    queue.restamp(shiftMs, floorMs);
    if (shiftMs !== 0) log.warn("timestamps follow the wall clock that was set", { by_ms: shiftMs });
    return undefined;
  };

  return {
    observe: () => Math.abs(gapMs(clock()) - judgedGapMs) > STEP_MS,
    async check(ask) {
      const early = beforeBuild(clock());
      if (early !== undefined) return hold(early, clock());
      if (verified && Math.abs(gapMs(clock())) <= STEP_MS) {
        release(clock());
        return undefined;
      }
      const testimony = await ask();
      const now = clock();
      const expectedMs = verified ? timeline.at(now) : undefined;
      const why =
        beforeBuild(now) ??
        judgeClock({ wallMs: now.wallMs, expectedMs }, testimony) ??
        anchor(now, testimony);
      if (why !== undefined) return hold(why, now);
      verified = true;
      release(now);
      return undefined;
    },
    status() {
      const now = clock();
      const why = beforeBuild(now) ?? reason;
      const sane = verified && Math.abs(gapMs(now)) <= STEP_MS;
      return { state: why !== undefined ? "held" : sane ? "sane" : "unverified", reason: why };
    },
  };
}

function isoTime(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? `${ms} ms` : time.toISOString();
}
