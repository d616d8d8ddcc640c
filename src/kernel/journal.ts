/**
 * The journal: what was sent and is not yet safe, and the sum of what is, in memory that outlives this process.
 * With the kernel's own counters, which do too, it makes a restart lose nothing (docs/decisions/0009).
 */
import type { Resumption, Taken, TickJournal } from "../model/journal.js";
import type { Schema } from "../model/measure.js";
import { seriesKey, type Identity, type Sample, type Tick } from "../model/tick.js";
import { createByteWriter } from "./byte-writer.js";
import {
  decodeState,
  encodeState,
  encodeTick,
  type JournalFacts,
  type JournalState,
} from "./journal-codec.js";
import { bookSample, countedKey, createSeriesTable } from "./journal-series.js";
import { JournalDamageError, loadState, saveState, stateRoom, type JournalMemory } from "./journal-store.js";

export interface Journal extends TickJournal {
  readonly facts: () => JournalFacts;
  /** What was left by the process before; undefined where nothing was ever sent. */
  readonly resumption: Resumption | undefined;
  /** What all ticks have counted until now. */
  taken(): Taken;
  /** From now on the sums are of the counters of these maps. */
  adopt(incarnation: bigint): void;
  /**
   * The counters have been read for the last time, and begin to count at 0 again: `left` is what they had counted
   * and no tick has, `kernel` what must be known of those that come.
   */
  retire(left: readonly Sample[], kernel: unknown): void;
  /** A tick was made: time until its timestamp is covered by ticks. */
  made(tick: Tick): void;
  /** What the kernel side must know again; asked for with each save. */
  describeKernel(state: () => unknown): void;
  /** Saves what was not yet. */
  save(): void;
  /** Bytes of the state, and the most that there may be. */
  readonly bytes: () => { readonly used: number; readonly room: number };
}

/** Kept free for what grows a little between two looks: facts, and the number of each tick's length. */
const SLACK_BYTES = 65_536;

/** Incarnation of maps that do not exist yet. */
const NONE = "0";

const NO_FACTS: JournalFacts = {
  incarnation: NONE,
  lastTimestampMs: 0,
  beganMs: 0,
  settledMs: 0,
};

interface NotedTick {
  readonly tick: Tick;
  readonly bytes: Uint8Array;
}

/**
 * Opens the journal in this memory.
 * @param own identity of samples that have none
 * @throws JournalDamageError
 */
export function openJournal(memory: JournalMemory, schema: Schema, own: Identity): Journal {
  const found = readState(memory, schema, own);
  const series = found?.series ?? createSeriesTable(own);
  const unsettled = new Map<bigint, NotedTick>();
  const encoded = new WeakMap<Tick, Uint8Array>();
  const stateWriter = createByteWriter();
  const tickWriter = createByteWriter();
  let { facts = NO_FACTS } = found ?? {};
  let kernelState: (() => unknown) | undefined;
  /** Bytes of all unsettled ticks. */
  let held = 0;
  let factBytes = 0;
  /** Sum of the intervals of all ticks that were made, since `beganMs`. */
  let coveredMs = facts.settledMs;

  const bytesOf = (tick: Tick): Uint8Array => {
    let bytes = encoded.get(tick);
    if (!bytes) encoded.set(tick, (bytes = encodeTick(tick, series, tickWriter)));
    return bytes;
  };
  const note = (tick: Tick): void => {
    if (unsettled.has(tick.version)) return;
    const bytes = bytesOf(tick);
    unsettled.set(tick.version, { tick, bytes });
    held += bytes.length;
  };
  const used = (): number => series.bytes() + factBytes + held + SLACK_BYTES;
  const save = (): void => {
    facts = { ...facts, ...(kernelState && { kernel: kernelState() }) };
    factBytes = JSON.stringify(facts).length;
    saveState(
      memory,
      encodeState(
        facts,
        series,
        [...unsettled.values()].map(({ bytes }) => bytes),
        stateWriter,
      ),
    );
  };

  for (const tick of found?.unsettled ?? []) note(tick);
  const ticks = found?.unsettled.toSorted((a, b) => a.timestampMs - b.timestampMs) ?? [];
  for (const { intervalMs } of ticks) coveredMs += intervalMs;
  const { lastTimestampMs, beganMs } = facts;
  const resumption: Resumption | undefined =
    lastTimestampMs === 0
      ? undefined
      : { unsettled: ticks, lastTimestampMs, owedMs: Math.max(0, lastTimestampMs - beganMs - coveredMs) };

  function taken(): Taken {
    const now = series.all().map(({ settled }) => settled.slice());
    for (const { tick } of unsettled.values())
      for (const sample of tick.samples) {
        const into = now[series.of(sample).index];
        if (into) bookSample(into, sample, 1n);
      }
    const sums = new Map<string, bigint[]>();
    for (const one of series.all()) {
      const key = countedKey(one, own);
      const before = sums.get(key);
      sums.set(
        key,
        [...(now[one.index] ?? [])].map((sum, i) => sum + (before?.[i] ?? 0n)),
      );
    }
    return ({ measure, identity = own, tags }) => sums.get(seriesKey({ measure, identity, tags }));
  }

  /** Makes the sums such that together with the unsettled ticks they are `-left`. */
  function rebase(left: readonly Sample[]): void {
    for (const { settled } of series.all()) settled.fill(0n);
    for (const { tick } of unsettled.values())
      for (const sample of tick.samples) bookSample(series.of(sample).settled, sample, -1n);
    for (const sample of left) bookSample(series.of(sample).settled, sample, -1n);
  }

  return {
    facts: () => facts,
    resumption,
    taken,
    adopt(incarnation) {
      const now = String(incarnation);
      if (facts.incarnation !== NONE && facts.incarnation !== now) rebase([]);
      facts = { ...facts, incarnation: now };
    },
    retire(left, kernel) {
      rebase(left);
      facts = { ...facts, incarnation: NONE, kernel };
      save();
    },
    admit(candidates) {
      let room = stateRoom(memory) - used();
      let admitted = 0;
      for (const tick of candidates) {
        if (!unsettled.has(tick.version)) {
          const before = series.bytes();
          room -= bytesOf(tick).length + series.bytes() - before;
          if (room < 0) break;
        }
        admitted++;
      }
      return admitted;
    },
    begin(begun) {
      if (begun.every(({ version }) => unsettled.has(version))) return;
      for (const tick of begun) note(tick);
      const last = Math.max(facts.lastTimestampMs, ...begun.map(({ timestampMs }) => timestampMs));
      facts = { ...facts, lastTimestampMs: last };
      save();
    },
    settle(tick) {
      const noted = unsettled.get(tick.version);
      if (noted) {
        unsettled.delete(tick.version);
        held -= noted.bytes.length;
      }
      for (const sample of tick.samples) bookSample(series.of(sample).settled, sample, 1n);
      facts = { ...facts, settledMs: facts.settledMs + tick.intervalMs };
    },
    made({ timestampMs, intervalMs }) {
      coveredMs += intervalMs;
      facts = { ...facts, beganMs: timestampMs - coveredMs };
    },
    describeKernel(state) {
      kernelState = state;
    },
    save,
    bytes: () => ({ used: used(), room: stateRoom(memory) }),
  };
}

function readState(memory: JournalMemory, schema: Schema, own: Identity): JournalState | undefined {
  const bytes = loadState(memory);
  if (!bytes) return undefined;
  try {
    return decodeState(bytes, schema, own);
  } catch (error) {
    throw new JournalDamageError(error instanceof Error ? error.message : String(error));
  }
}
