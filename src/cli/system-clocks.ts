import type { ClockReading } from "../model/clock.js";

/** Both clocks of the system. */
export function systemClocks(): ClockReading {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}
