/** A tick in the queue, and what is known of each of its points. Pure. */
import { mergeTicks, packTick, restampTick, tickBytes, type Sample, type Tick } from "../model/tick.js";

/**
 * due: to be sent (queued). flying: in the stream now. written: acknowledged, and kept for the replay window.
 * again: acknowledged, but to be sent again, since the connection was lost. reflying: that, in the stream now.
 * rejected: given up by the server. What is written, again or reflying was counted as written once.
 */
export type PointState = "due" | "flying" | "written" | "again" | "reflying" | "rejected";

export interface Entry {
  readonly tick: Tick;
  /** When its oldest part began, by the sum of the intervals of all ticks: no clock can make it older. */
  readonly beganMs: number;
  /** Memory of the tick. */
  readonly bytes: number;
  /** One per sample of the tick. */
  readonly states: PointState[];
  /** Once it was part of a stream the server may have it, whatever became of the stream: never merge it then. */
  attempted: boolean;
  /** Its replay window is over, and it waits for the audit. */
  settled: boolean;
  /** Latest acknowledgement of one of its points. */
  acknowledgedMs: number;
  /** Per point: how often it was refused while others were taken. */
  readonly strikes: Map<number, Strike>;
}

/** One point of an entry. */
export interface Place {
  readonly entry: Entry;
  readonly index: number;
}

/** One point of a tick, as it is sent. */
export interface BatchPoint {
  readonly tick: Tick;
  readonly sample: Sample;
}

export interface Strike {
  readonly count: number;
  /** Number of acknowledged points of the queue at that time. */
  readonly acknowledged: number;
}

/** Takes a tick in, packed. */
export function createEntry(tick: Tick, beganMs: number): Entry {
  return entryOf(packTick(tick), beganMs);
}

function entryOf(tick: Tick, beganMs: number): Entry {
  return {
    tick,
    beganMs,
    bytes: tickBytes(tick),
    states: tick.samples.map(() => "due"),
    attempted: false,
    settled: false,
    acknowledgedMs: 0,
    strikes: new Map(),
  };
}

/** Joins two neighbours that were never sent. */
export function mergeEntries(older: Entry, newer: Entry): Entry {
  return entryOf(mergeTicks(older.tick, newer.tick), older.beganMs);
}

/** The same, at another time; it was never sent. */
export function restampEntry(entry: Entry, timestampMs: number): Entry {
  return { ...entry, tick: restampTick(entry.tick, timestampMs) };
}

export function isDue({ states }: Entry): boolean {
  return states.some((state) => state === "due" || state === "again");
}

export function isFlying({ states }: Entry): boolean {
  return states.some((state) => state === "flying" || state === "reflying");
}

/** Whether every point was acknowledged or rejected: it is held for the replay window only. */
export function isAcknowledged({ states }: Entry): boolean {
  return states.every((state) => state === "written" || state === "again" || state === "rejected");
}

/** Whether nothing is left to do but to wait for the end of the window. */
export function isQuiet({ states }: Entry): boolean {
  return states.every((state) => state === "written" || state === "rejected");
}

/** The entries that these are of, each once. */
export function entriesOf(places: readonly Place[]): readonly Entry[] {
  return [...new Set(places.map(({ entry }) => entry))];
}

export function sampleAt({ tick }: Entry, index: number): Sample {
  const sample = tick.samples[index];
  if (sample === undefined)
    throw new Error(`a tick of ${tick.samples.length} samples has no sample ${index}`);
  return sample;
}
