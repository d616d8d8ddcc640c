/** The numbers of delivery that are times and sizes (docs/decisions/0002 and 0006). */

export interface Timing {
  /** Of one stream; the connection included. */
  readonly attemptDeadlineMs: number;
  /** How long an acknowledged tick may yet be forgotten by the server. */
  readonly windowMs: number;
  /** Between two batches of backlog. */
  readonly paceMs: number;
  /** Between two looks at a schema that conflicts. */
  readonly conflictRetryMs: number;
  /** Between two looks at a clock that cannot be trusted, unless it is set meanwhile. */
  readonly clockRetryMs: number;
  /** Age of a connection that is given up for a new one, ± 20 %, so that load spreads over new servers. */
  readonly recycleMs: number;
}

/** Why these: docs/decisions/0002. */
export const TIMING: Timing = {
  attemptDeadlineMs: 15_000,
  windowMs: 15_000,
  paceMs: 1000,
  conflictRetryMs: 300_000,
  clockRetryMs: 60_000,
  recycleMs: 1_800_000,
};
/** Of `recycleMs`, either way. */
export const RECYCLE_SPREAD = 0.2;
/** The flat part of the measured throughput, and what a server holds in memory until the stream ends. */
export const BATCH = { batchPoints: 1000, batchBytes: 512 * 1024 };
/** A schema that was just created may be unknown to the write path for 3 to 54 ms (measured), in a cluster longer. */
export const SCHEMA_DELAY_MS = { first: 50, max: 5000 };
