/**
 * The queue of ticks: what waits, what is under way, and what was acknowledged but may yet be forgotten by
 * the server. Bounded in bytes at any instant. Pure: times are handed in, nothing here sends or waits.
 */
import type { Resumption, TickJournal } from "../model/journal.js";
import type { PointCounts } from "../model/status.js";
import type { Tick } from "../model/tick.js";
import { createLedger, createSumTable, type DropReason, type Ledger, type SourceSums } from "./ledger.js";
import type { Outcome } from "./outcome.js";
import { auditResults, waitingForAudit } from "./queue-audit.js";
import {
  createEntry,
  isDue,
  isFlying,
  isQuiet,
  mergeEntries,
  restampEntry,
  sampleAt,
  type BatchPoint,
  type Entry,
  type Place,
  type PointState,
} from "./queue-entry.js";
import { fillBatch, repeats, sendingOrder, type SendingOrder } from "./queue-order.js";
import { chooseSacrifice } from "./queue-room.js";

export type { BatchPoint } from "./queue-entry.js";

export interface QueueLimits {
  /** Hard bound of everything held: waiting, in flight and in the replay window. */
  readonly maxBytes: number;
  /** A batch is whole ticks, at least one, and stops growing here. */
  readonly batchPoints: number;
  readonly batchBytes: number;
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
  /** Takes the outcomes of a batch, one per point, and whether the server answered at all. */
  settle(batch: Batch, outcomes: readonly Outcome[], answered: boolean, nowMs: number): void;
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
  readonly epoch: number;
}

/** @param journal notes what is sent before it is sent, if there is one; while it has no room, nothing new is sent */
export function createTickQueue(initial: QueueLimits, journal?: TickJournal): TickQueue {
  const entries: Entry[] = [];
  const ledger = createLedger();
  let limits = initial;
  /** Points by state, for those states that are not final. */
  const live = { due: 0, flying: 0, again: 0 };
  let bytes = 0;
  /** Sum of the intervals of all ticks so far. */
  let elapsedMs = 0;
  let unprotected = 0;
  let lastWrittenTimestampMs: number | undefined;
  let lastSentMs: number | undefined;
  /** Counts lost connections: acknowledgements from before one are worth nothing after it. */
  let epoch = 0;
  let flight: Flight | undefined;
  /** Batches of which nothing was taken, since something last was. */
  let tried: readonly (readonly Entry[])[] = [];
  let lastAnswered = true;
  let lastPacedMs = Number.NEGATIVE_INFINITY;
  let draining = false;
  /** Whether the next tick is the first one after those of a process before this one. */
  let resumed = false;

  const move = ({ entry, index }: Place, to: PointState): void => {
    const from = entry.states[index];
    if (from === "due" || from === "flying" || from === "again") live[from]--;
    if (to === "due" || to === "flying" || to === "again") live[to]++;
    entry.states[index] = to;
  };

  const remove = (index: number, reason?: DropReason): Entry | undefined => {
    const [entry] = entries.splice(index, 1);
    if (entry === undefined) return undefined;
    bytes -= entry.bytes;
    journal?.settle(entry.tick);
    entry.states.forEach((state, i) => {
      if (state === "due" && reason !== undefined) {
        ledger.points.dropped++;
        ledger.droppedBy[reason]++;
        ledger.book("dropped", sampleAt(entry, i));
      }
      move({ entry, index: i }, "rejected");
    });
    return entry;
  };

  /** Two that were never sent become one; keeps the books. */
  const join = (older: Entry, newer: Entry): Entry => {
    const merged = mergeEntries(older, newer);
    bytes += merged.bytes - older.bytes - newer.bytes;
    const fewer = older.states.length + newer.states.length - merged.states.length;
    ledger.points.coalesced += fewer;
    live.due -= fewer;
    return merged;
  };

  const mergeAt = (index: number): void => {
    const [older, newer] = [entries[index], entries[index + 1]];
    if (older === undefined || newer === undefined) return;
    entries.splice(index, 2, join(older, newer));
  };

  const makeRoom = (): void => {
    while (bytes > limits.maxBytes) {
      const sacrifice = chooseSacrifice(entries);
      if (sacrifice === undefined) return;
      if (sacrifice.kind === "merge") mergeAt(sacrifice.index);
      else {
        const removed = remove(sacrifice.index, "overflow");
        if (sacrifice.kind === "release") unprotected += removed?.states.length ?? 0;
      }
    }
  };

  const order = (): SendingOrder => sendingOrder(entries, repeats(tried, lastAnswered), draining);

  const dueAtMs = (nowMs: number): number | undefined => {
    if (flight || live.due + live.again === 0) return undefined;
    const { entries: next, paced } = order();
    if (isAdmitted(next[0])) return paced ? Math.max(nowMs, lastPacedMs + limits.paceMs) : nowMs;
    const provenMs = noted() ? nowMs : windowEndMs();
    return provenMs === undefined ? undefined : Math.max(nowMs, lastPacedMs + limits.paceMs, provenMs);
  };

  const isAdmitted = (entry: Entry | undefined): boolean =>
    journal === undefined || entry === undefined || journal.admit([entry.tick]) > 0;

  /** What is due and needs no room of the journal. */
  const noted = (): Entry | undefined => entries.find((entry) => entry.attempted && isDue(entry));

  const waitingForWindow = (): Entry[] => entries.filter((entry) => isQuiet(entry) && !entry.settled);

  /** When the first window ends of those that are still to be waited for. */
  const windowEndMs = (): number | undefined => {
    const waiting = waitingForWindow();
    if (waiting.length === 0) return undefined;
    return Math.min(...waiting.map(({ acknowledgedMs }) => acknowledgedMs + limits.windowMs));
  };

  /**
   * The points to send, as far as the journal has room. Where it has none, what it has noted already: the answer
   * to that proves that the server lives on, which is what makes room.
   */
  const admitted = (places: readonly Place[]): readonly Place[] => {
    if (!journal) return places;
    const batch = [...new Set(places.map(({ entry }) => entry))];
    const count = journal.admit(batch.map(({ tick }) => tick));
    if (count === batch.length) return places;
    if (count > 0) {
      const allowed = new Set(batch.slice(0, count));
      return places.filter(({ entry }) => allowed.has(entry));
    }
    const again = noted() ?? waitingForWindow()[0];
    if (!again) return [];
    again.states.forEach((state, index) => {
      if (state === "written") move({ entry: again, index }, "again");
    });
    return fillBatch([again], limits.batchPoints, limits.batchBytes);
  };

  const takeOff = (places: readonly Place[]): Batch => {
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
    flight = { batch, places, epoch };
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

  /** Gives up what is too old to be of use; only what was never acknowledged counts as dropped. */
  const dropOld = (): void => {
    for (let i = 0; i < entries.length;) {
      const entry = entries[i];
      if (entry === undefined || elapsedMs - entry.beganMs <= limits.maxAgeMs) return;
      if (isFlying(entry)) i++;
      else remove(i, "age");
    }
  };

  /**
   * Forgets what the server can no longer forget, or leaves it to the audit. Only an answer of the same connection proves that the server
   * has lived on, so time alone settles nothing (and after a lost connection nothing is merely written).
   */
  const forgetSettled = (nowMs: number): void => {
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i];
      if (!entry || !isQuiet(entry) || entry.acknowledgedMs + limits.windowMs > nowMs) continue;
      if (limits.audit && entry.states.includes("written")) entry.settled = true;
      else remove(i);
    }
  };

  return {
    enqueue(tick) {
      elapsedMs += tick.intervalMs;
      // The interval of one that covers the time when nobody was there says nothing about its counts.
      const beganMs = resumed ? elapsedMs : elapsedMs - tick.intervalMs;
      resumed = false;
      if (tick.samples.length === 0) return;
      const entry = createEntry(tick, beganMs);
      entries.push(entry);
      bytes += entry.bytes;
      live.due += tick.samples.length;
      ledger.points.collected += tick.samples.length;
      for (const sample of tick.samples) ledger.book("taken", sample);
      dropOld();
      makeRoom();
    },
    resume({ unsettled, lastTimestampMs }) {
      for (const tick of unsettled) {
        const entry = createEntry(tick, tick.timestampMs - tick.intervalMs - lastTimestampMs);
        entry.attempted = true;
        entries.push(entry);
        bytes += entry.bytes;
        live.due += tick.samples.length;
        ledger.points.collected += tick.samples.length;
        for (const sample of tick.samples) ledger.book("taken", sample);
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
      const batchBytes = Math.min(limits.batchBytes, limits.maxBytes * BATCH_SHARE);
      const places = admitted(fillBatch(next.entries, limits.batchPoints, batchBytes));
      if (places.length === 0) return undefined;
      journal?.begin([...new Set(places.map(({ entry }) => entry.tick))]);
      return takeOff(places);
    },
    settle(batch, outcomes, answered, nowMs) {
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
      const taken = outcomes.some(({ kind }) => kind === "written" || kind === "rejected");
      const sent = new Set(landing.places.map(({ entry }) => entry));
      tried = taken ? [] : [...tried.filter((batch) => !batch.every((entry) => sent.has(entry))), [...sent]];
      lastAnswered = answered;
      if (answered) forgetSettled(nowMs);
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
        if (absent.length === 0) remove(entries.indexOf(entry));
      }
      return missing;
    },
    drain() {
      draining = true;
    },
    limit(bounds) {
      limits = { ...limits, ...bounds };
      dropOld();
      makeRoom();
    },
    restamp(shiftMs, floorMs) {
      let early: Entry | undefined;
      for (const entry of entries.splice(0)) {
        if (entry.attempted) {
          entries.push(entry);
          continue;
        }
        const moved = restampEntry(entry, entry.tick.timestampMs + shiftMs);
        const joined = early ? join(early, moved) : moved;
        early = joined.tick.timestampMs <= floorMs ? joined : undefined;
        if (!early) entries.push(joined);
      }
      if (early) entries.push(early);
    },
    counts: () => ({ ...ledger.points, queued: live.due, inFlight: live.flying }),
    reasons: () => ({ rejectedBy: { ...ledger.rejectedBy }, droppedBy: { ...ledger.droppedBy } }),
    sums() {
      const held = createSumTable();
      for (const entry of entries) {
        entry.states.forEach((state, i) => {
          if (state === "due" || state === "flying") held.add(sampleAt(entry, i));
        });
      }
      return {
        taken: ledger.sums("taken"),
        written: ledger.sums("written"),
        rejected: ledger.sums("rejected"),
        dropped: ledger.sums("dropped"),
        held: held.read(),
      };
    },
    bytes: () => bytes,
    unprotected: () => unprotected,
    oldestUnsentMs: () =>
      entries.find((entry) => entry.states.includes("due") || entry.states.includes("flying"))?.tick
        .timestampMs,
    newestUnsentMs: () => entries.findLast(({ attempted }) => !attempted)?.tick.timestampMs,
    lastSentMs: () => lastSentMs,
    lastWrittenTimestampMs: () => lastWrittenTimestampMs,
  };
}
