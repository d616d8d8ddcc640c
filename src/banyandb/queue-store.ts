/** The ticks that are held, and the books about them: how they come, change, give way and go. Pure. */
import type { TickJournal } from "../model/journal.js";
import { createLedger, createSumTable, type DropReason, type Ledger, type SourceSums } from "./ledger.js";
import {
  isFlying,
  isQuiet,
  mergeEntries,
  restampEntry,
  sampleAt,
  type Entry,
  type Place,
  type PointState,
} from "./queue-entry.js";
import { chooseSacrifice } from "./queue-room.js";

export interface QueueStore {
  /** Oldest first. */
  readonly entries: readonly Entry[];
  readonly ledger: Ledger;
  /** Points by state, for those states that are not final. */
  readonly live: Readonly<Record<"due" | "flying" | "again", number>>;
  bytes(): number;
  /** Points that were forgotten before their replay window was over, because there was no room. */
  unprotected(): number;
  add(entry: Entry): void;
  readonly move: (place: Place, to: PointState) => void;
  /** Ends its life: all that it counted is settled. */
  remove(entry: Entry): void;
  /** Gives up resolution, protection and at last counts, until no more than this is held. */
  makeRoom(maxBytes: number): void;
  /** Gives up what began before; only what was never acknowledged counts as dropped. */
  dropOlderThan(beganMs: number): void;
  /** Forgets what was acknowledged until then, or leaves it to the audit. */
  forgetAcknowledged(untilMs: number, audit: boolean): void;
  /** Moves every tick that was never sent; those not later than `floorMs` join their successor. */
  restamp(shiftMs: number, floorMs: number): void;
  /** Sums of what was never acknowledged. */
  held(): SourceSums;
}

export function createQueueStore(journal: TickJournal | undefined): QueueStore {
  const entries: Entry[] = [];
  const ledger = createLedger();
  const live = { due: 0, flying: 0, again: 0 };
  let bytes = 0;
  let unprotected = 0;

  const move = ({ entry, index }: Place, to: PointState): void => {
    const from = entry.states[index];
    if (from === "due" || from === "flying" || from === "again") live[from]--;
    if (to === "due" || to === "flying" || to === "again") live[to]++;
    entry.states[index] = to;
  };

  const removeAt = (index: number, reason?: DropReason): Entry | undefined => {
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

  return {
    entries,
    ledger,
    live,
    bytes: () => bytes,
    unprotected: () => unprotected,
    add(entry) {
      entries.push(entry);
      bytes += entry.bytes;
      const { samples } = entry.tick;
      live.due += samples.length;
      ledger.points.collected += samples.length;
      for (const sample of samples) ledger.book("taken", sample);
    },
    move,
    remove(entry) {
      removeAt(entries.indexOf(entry));
    },
    makeRoom(maxBytes) {
      while (bytes > maxBytes) {
        const sacrifice = chooseSacrifice(entries);
        if (sacrifice === undefined) return;
        if (sacrifice.kind === "merge") mergeAt(sacrifice.index);
        else {
          const removed = removeAt(sacrifice.index, "overflow");
          if (sacrifice.kind === "release") unprotected += removed?.states.length ?? 0;
        }
      }
    },
    dropOlderThan(beganMs) {
      for (let i = 0; i < entries.length;) {
        const entry = entries[i];
        if (entry === undefined || entry.beganMs >= beganMs) return;
        if (isFlying(entry)) i++;
        else removeAt(i, "age");
      }
    },
    forgetAcknowledged(untilMs, audit) {
      for (let i = entries.length - 1; i >= 0; i--) {
        const entry = entries[i];
        if (!entry || !isQuiet(entry) || entry.acknowledgedMs > untilMs) continue;
        if (audit && entry.states.includes("written")) entry.settled = true;
        else removeAt(i);
      }
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
    held() {
      const held = createSumTable();
      for (const entry of entries) {
        entry.states.forEach((state, i) => {
          if (state === "due" || state === "flying") held.add(sampleAt(entry, i));
        });
      }
      return held.read();
    },
  };
}
