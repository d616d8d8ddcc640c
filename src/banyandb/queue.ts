/**
 * The queue of ticks: what waits, what is under way, and what was acknowledged but may yet be forgotten by
 * the server. Bounded in bytes at any instant. Pure: times are handed in, nothing here sends or waits.
 */
import type { Resumption, TickJournal } from "../model/journal.js";
import type { PointCounts } from "../model/status.js";
import type { Tick } from "../model/tick.js";
import { createBatchSize } from "./batch-size.js";
import type { Ledger, SourceSums } from "./ledger.js";
import type { Answer, Outcome } from "./outcome.js";
import { createAdmission } from "./queue-admission.js";
import { auditResults, waitingForAudit } from "./queue-audit.js";
import {
  createEntry,
  entriesOf,
  isDue,
  sampleAt,
  type BatchPoint,
  type Entry,
  type Place,
} from "./queue-entry.js";
import { fillBatch, sendingOrder, type SendingOrder } from "./queue-order.js";
import { createQueueStore } from "./queue-store.js";
import { createTries } from "./queue-tries.js";

export type { BatchPoint } from "./queue-entry.js";

export interface QueueLimits {
  /** Hard bound of everything held: waiting, in flight and in the replay window. */
  readonly maxBytes: number;
  /** A batch is whole ticks, at least one, and stops growing here; while the way is slow it is smaller. */
  readonly batchPoints: number;
  readonly batchBytes: number;
  /** Time of a stream, in milliseconds. */
  readonly deadlineMs: number;
  /** Least time between two batches of backlog, in milliseconds. */
  readonly paceMs: number;
  /** How long an acknowledged tick may yet be forgotten by the server, in milliseconds. */
  readonly windowMs: number;
  /** Age of the oldest part of a tick, in milliseconds, from which it is given up. */
  readonly maxAgeMs: number;
  /** Whether what has outlived the window is held until `audited` says that it is stored. */
  readonly audit: boolean;
}

/** What one stream carries; goes back to `settle` with the outcomes. */
export interface Batch {
  readonly points: readonly BatchPoint[];
}

export interface QueueSums {
  readonly taken: SourceSums;
  readonly written: SourceSums;
  readonly rejected: SourceSums;
  readonly dropped: SourceSums;
  /** Never acknowledged, and not given up. */
  readonly held: SourceSums;
}

export interface TickQueue {
  /** Takes a tick; its timestamp is later than that of the one before. One without samples is nothing to send. */
  enqueue(tick: Tick): void;
  /** Takes what a process before this one may have sent; before the first tick. */
  resume(from: Resumption): void;
  /** When there is something to send: now or later; undefined when there is nothing, or a batch is under way. */
  dueAtMs(nowMs: number): number | undefined;
  /** Whether nothing is due, nor under way. */
  isIdle(): boolean;
  /** The next batch, now under way; undefined where nothing is due at `nowMs`. */
  next(nowMs: number): Batch | undefined;
  /** Takes the outcomes of a batch, one per point, and how much the server answered. */
  settle(batch: Batch, outcomes: readonly Outcome[], answer: Answer, nowMs: number): void;
  /** Everything acknowledged that is still held is due again. Returns how many points that is. */
  connectionLost(): number;
  /** What has outlived its window and waits for the audit: whole ticks from the oldest, about `maxPoints`. */
  toAudit(maxPoints: number): readonly BatchPoint[];
  /** Settles what of these points is stored; the others are due again. Returns how many those are. */
  audited(points: readonly BatchPoint[], isStored: (point: BatchPoint) => boolean): number;
  /** From now on the newest first and all at once: there is not much time left. */
  drain(): void;
  /** Other bounds from now on; what they have no room for gives way at once. */
  limit(bounds: Pick<QueueLimits, "maxBytes" | "maxAgeMs" | "audit">): void;
  /**
   * Moves every tick that was never sent by whole milliseconds. Those that would not be later than `floorMs`
   * join their successor; the newest one must be later.
   */
  restamp(shiftMs: number, floorMs: number): void;
  counts(): Omit<PointCounts, "unstored">;
  /** What was rejected and dropped, by reason. */
  reasons(): Pick<Ledger, "rejectedBy" | "droppedBy">;
  sums(): QueueSums;
  bytes(): number;
  /** Points that were forgotten before their replay window was over, because the queue was full. */
  unprotected(): number;
  /** Timestamp of the oldest tick with a point that was never acknowledged. */
  oldestUnsentMs(): number | undefined;
  /** Timestamp of the newest tick that was never sent. */
  newestUnsentMs(): number | undefined;
  /** Latest timestamp that was ever sent. */
  lastSentMs(): number | undefined;
  lastWrittenTimestampMs(): number | undefined;
}

/** A point that is refused this often while others are taken is rejected (docs/decisions/0002). */
const MAX_STRIKES = 10;
/** Share of the queue that one batch may take: what was sent can no longer be merged. */
const BATCH_SHARE = 0.25;

interface Flight {
  readonly batch: Batch;
  readonly places: readonly Place[];
  readonly entries: readonly Entry[];
  /** Of these, those that have points due besides. */
  readonly cut: readonly Entry[];
  readonly kind: SendingOrder["kind"];
  readonly epoch: number;
  readonly beganMs: number;
}

/** @param journal notes what is sent before it is sent, if there is one; while it has no room, nothing new is sent */
export function createTickQueue(initial: QueueLimits, journal?: TickJournal): TickQueue {
  const store = createQueueStore(journal);
  const { entries, ledger, live, move } = store;
  const size = createBatchSize(initial.batchPoints, initial.deadlineMs);
  const tries = createTries();
  const admission = createAdmission(store, journal);
  let limits = initial;
  /** Sum of the intervals of all ticks so far. */
  let elapsedMs = 0;
  let lastWrittenTimestampMs: number | undefined;
  let lastSentMs: number | undefined;
  /** Counts lost connections: acknowledgements from before one are worth nothing after it. */
  let epoch = 0;
  let flight: Flight | undefined;
  let lastPacedMs = Number.NEGATIVE_INFINITY;
  let draining = false;
  /** Whether the next tick is the first one after those of a process before this one. */
  let resumed = false;

  const keepBounds = (): void => {
    store.dropOlderThan(elapsedMs - limits.maxAgeMs);
    store.makeRoom(limits.maxBytes);
  };

  const order = (): SendingOrder =>
    sendingOrder(entries, { again: tries.first(), turn: tries.turn(), draining });

  const fill = (from: readonly Entry[]): readonly Place[] =>
    fillBatch(from, {
      points: size.points(),
      bytes: Math.min(limits.batchBytes, limits.maxBytes * BATCH_SHARE),
      mayCut: size.isReduced(),
    });

  const dueAtMs = (nowMs: number): number | undefined => {
    if (flight || live.due + live.again === 0) return undefined;
    const { entries: next, paced } = order();
    const pacedMs = Math.max(nowMs, lastPacedMs + limits.paceMs);
    if (admission.isAdmitted(next[0])) return paced ? pacedMs : nowMs;
    const proofAtMs = admission.proofAtMs(nowMs, limits.windowMs);
    return proofAtMs === undefined ? undefined : Math.max(pacedMs, proofAtMs);
  };

  const takeOff = (places: readonly Place[], kind: SendingOrder["kind"], nowMs: number): Batch => {
    const taken = entriesOf(places);
    journal?.begin(taken.map(({ tick }) => tick));
    for (const place of places) {
      const again = place.entry.states[place.index] === "again";
      if (again) ledger.points.resent++;
      place.entry.attempted = true;
      lastSentMs = Math.max(lastSentMs ?? 0, place.entry.tick.timestampMs);
      move(place, again ? "reflying" : "flying");
    }
    const batch = {
      points: places.map(({ entry, index }) => ({ tick: entry.tick, sample: sampleAt(entry, index) })),
    };
    flight = { batch, places, entries: taken, cut: taken.filter(isDue), kind, epoch, beganMs: nowMs };
    return batch;
  };

  /** Whether a point that was refused once more has been refused often enough. */
  const strikeOut = ({ entry, index }: Place): boolean => {
    const acknowledged = ledger.points.written;
    const before = entry.strikes.get(index) ?? { count: 0, acknowledged: 0 };
    if (acknowledged <= before.acknowledged) return false;
    entry.strikes.set(index, { count: before.count + 1, acknowledged });
    return before.count + 1 >= MAX_STRIKES;
  };

  const land = (place: Place, outcome: Outcome, landing: Flight, nowMs: number): void => {
    const { entry, index } = place;
    const replayed = entry.states[index] === "reflying";
    const rejected =
      outcome.kind === "rejected" || (outcome.kind === "struck" && strikeOut(place))
        ? outcome.reason
        : undefined;
    if (outcome.kind === "written") {
      entry.acknowledgedMs = nowMs;
      lastWrittenTimestampMs = Math.max(lastWrittenTimestampMs ?? 0, entry.tick.timestampMs);
      move(place, landing.epoch === epoch ? "written" : "again");
      if (replayed) return;
      ledger.points.written++;
      ledger.book("written", sampleAt(entry, index));
    } else if (rejected !== undefined) {
      // One that is refused only when it is sent again was counted as written, and stays so.
      move(place, replayed ? "written" : "rejected");
      if (replayed) return;
      ledger.points.rejected++;
      ledger.rejectedBy[rejected]++;
      ledger.book("rejected", sampleAt(entry, index));
    } else {
      move(place, replayed ? "again" : "due");
    }
  };

  return {
    enqueue(tick) {
      elapsedMs += tick.intervalMs;
      // The interval of one that covers the time when nobody was there says nothing about its counts.
      const beganMs = resumed ? elapsedMs : elapsedMs - tick.intervalMs;
      resumed = false;
      if (tick.samples.length === 0) return;
      store.add(createEntry(tick, beganMs));
      keepBounds();
    },
    resume({ unsettled, lastTimestampMs }) {
      for (const tick of unsettled) {
        const entry = createEntry(tick, tick.timestampMs - tick.intervalMs - lastTimestampMs);
        entry.attempted = true;
        store.add(entry);
      }
      lastSentMs = lastTimestampMs;
      resumed = true;
    },
    dueAtMs,
    isIdle: () => live.due + live.flying + live.again === 0 && flight === undefined,
    next(nowMs) {
      const at = dueAtMs(nowMs);
      if (at === undefined || at > nowMs) return undefined;
      const next = order();
      if (next.paced || draining) lastPacedMs = nowMs;
      const places = admission.admit(fill(next.entries), fill);
      return places.length === 0 ? undefined : takeOff(places, next.kind, nowMs);
    },
    settle(batch, outcomes, answer, nowMs) {
      const landing = flight;
      if (landing?.batch !== batch) throw new Error("this batch is not under way");
      flight = undefined;
      // Acknowledgements first: whether a refused point was refused while others were taken depends on them.
      const landings = landing.places.map((place, i) => ({
        place,
        outcome: outcomes[i] ?? { kind: "kept" as const },
      }));
      for (const { place, outcome } of landings)
        if (outcome.kind === "written") land(place, outcome, landing, nowMs);
      for (const { place, outcome } of landings)
        if (outcome.kind !== "written") land(place, outcome, landing, nowMs);
      size.ended(landing.places.length, answer, nowMs - landing.beganMs);
      const taken = outcomes.some(({ kind }) => kind === "written" || kind === "rejected");
      tries.ended(landing, answer, { taken, newerCame: entries.at(-1)?.attempted === false });
      // Only an answer of the same connection proves that the server has lived on, so time alone settles nothing (and
      // after a lost connection nothing is merely written).
      if (answer !== "none") store.forgetAcknowledged(nowMs - limits.windowMs, limits.audit);
    },
    connectionLost() {
      epoch++;
      let points = 0;
      for (const entry of entries) {
        entry.settled = false;
        entry.states.forEach((state, index) => {
          if (state !== "written") return;
          move({ entry, index }, "again");
          points++;
        });
      }
      return points;
    },
    toAudit: (maxPoints) => (limits.audit ? waitingForAudit(entries, maxPoints) : []),
    audited(points, isStored) {
      let missing = 0;
      for (const { entry, absent } of auditResults(entries, points, isStored)) {
        for (const index of absent) move({ entry, index }, "again");
        missing += absent.length;
        entry.settled = false;
        if (absent.length === 0) store.remove(entry);
      }
      return missing;
    },
    drain() {
      draining = true;
    },
    limit(bounds) {
      limits = { ...limits, ...bounds };
      keepBounds();
    },
    restamp: (shiftMs, floorMs) => {
      store.restamp(shiftMs, floorMs);
    },
    counts: () => ({ ...ledger.points, queued: live.due, inFlight: live.flying }),
    reasons: () => ({ rejectedBy: { ...ledger.rejectedBy }, droppedBy: { ...ledger.droppedBy } }),
    sums: () => ({
      taken: ledger.sums("taken"),
      written: ledger.sums("written"),
      rejected: ledger.sums("rejected"),
      dropped: ledger.sums("dropped"),
      held: store.held(),
    }),
    bytes: () => store.bytes(),
    unprotected: () => store.unprotected(),
    oldestUnsentMs: () =>
      entries.find((entry) => entry.states.includes("due") || entry.states.includes("flying"))?.tick
        .timestampMs,
    newestUnsentMs: () => entries.findLast(({ attempted }) => !attempted)?.tick.timestampMs,
    lastSentMs: () => lastSentMs,
    lastWrittenTimestampMs: () => lastWrittenTimestampMs,
  };
}
