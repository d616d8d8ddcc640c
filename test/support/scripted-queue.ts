/** A queue of ticks that have one point each, and what is done with its batches. */
import type { Outcome } from "../../src/banyandb/outcome.js";
import { createTickQueue, type Batch, type QueueLimits, type TickQueue } from "../../src/banyandb/queue.js";
import { tickBytes } from "../../src/model/tick.js";
import { tickAt } from "./ticks.js";

export const LIMITS: QueueLimits = {
  maxBytes: 1e6,
  batchPoints: 1000,
  batchBytes: 5e5,
  deadlineMs: 15_000,
  paceMs: 1000,
  windowMs: 15_000,
  maxAgeMs: 86_400_000,
  audit: false,
};
export const TICK_BYTES = tickBytes(tickAt(1, { hit: 1, missed: 0 }));

export function queueOf(limits: Partial<QueueLimits> = {}): TickQueue {
  return createTickQueue({ ...LIMITS, ...limits });
}

/** A tick per number, ten seconds apart; its hits are the number. */
export function fill(queue: TickQueue, ...numbers: number[]): void {
  for (const n of numbers) queue.enqueue(tickAt(n * 10_000, { hit: n, missed: 0 }));
}

export function times(batch: Batch | undefined): number[] | undefined {
  return batch?.points.map(({ tick }) => tick.timestampMs / 10_000);
}

export function settleAll(queue: TickQueue, batch: Batch, kind: "written" | "kept", nowMs = 0): void {
  const outcomes = batch.points.map((): Outcome => ({ kind }));
  queue.settle(batch, outcomes, kind === "written" ? "whole" : "none", nowMs);
}

export function write(queue: TickQueue, nowMs: number): number[] | undefined {
  const batch = queue.next(nowMs);
  if (batch) settleAll(queue, batch, "written", nowMs);
  return times(batch);
}
