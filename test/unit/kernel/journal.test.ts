/**
 * The journal alone, and together with the queue under random schedules: whatever was counted is stored once, by a
 * server that keeps, forgets and answers as it likes, though the process dies at any byte that it writes.
 */
import { expect } from "chai";
import { openJournal as openWith, type Journal } from "../../../src/kernel/journal.js";
import { createTickQueue, type Batch, type TickQueue } from "../../../src/banyandb/queue.js";
import type { MeasureSpec, Schema } from "../../../src/model/measure.js";
import { makeSample, seriesKey, tickVersion, type Sample, type Tick } from "../../../src/model/tick.js";
import { crashingMemory, Died, type CrashingMemory } from "../../support/crashing-memory.js";
import { CACHE, IDENTITY, PART, SCHEMA, seededRandom, tickAt } from "../../support/ticks.js";

const openJournal = (memory: CrashingMemory, schema = SCHEMA): Journal => openWith(memory, schema, IDENTITY);

/** Of one source, 0 where nothing was taken. */
function takenOf(journal: Journal, measure: MeasureSpec, tags: readonly string[], source: string): bigint {
  const place = measure.sources.findIndex(({ name }) => name === source);
  return journal.taken()({ measure, tags })?.[place] ?? 0n;
}

const WINDOW_MS = 15_000;
const FORGETS_MS = 5000;
const PARTS = ["a", "b", "c"];

describe("journal", () => {
  it("gives back what was begun and not settled, as it was", () => {
    const memory = crashingMemory();
    const journal = openJournal(memory, SCHEMA);
    const ticks = [1, 2, 3].map((n) => tickAt(n * 10_000, { hit: n, missed: 0.5, reads: { a: n * 1e12 } }));
    journal.begin(ticks);
    journal.settle(ticks[0] ?? tickAt(0, { hit: 0, missed: 0 }));
    journal.save();
    const { resumption } = openJournal(memory, SCHEMA);
    expect(resumption?.unsettled).to.deep.equal(ticks.slice(1).map(identified));
    expect(resumption?.lastTimestampMs).to.equal(30_000);
  });

  it("knows nothing of a tick that was settled without having been begun, but its counts", () => {
    const memory = crashingMemory();
    const journal = openJournal(memory, SCHEMA);
    journal.settle(tickAt(10_000, { hit: 4, missed: 2, reads: { a: 9 } }));
    journal.begin([tickAt(20_000, { hit: 1, missed: 0, reads: { a: 1, b: 2 } })]);
    const again = openJournal(memory, SCHEMA);
    expect(again.resumption?.unsettled.map(({ timestampMs }) => timestampMs)).to.deep.equal([20_000]);
    expect(takenOf(again, CACHE, [], "pages_hit")).to.equal(5n);
    expect(takenOf(again, PART, ["a"], "reads")).to.equal(10n);
    expect(takenOf(again, PART, ["b"], "reads")).to.equal(2n);
    expect(takenOf(again, PART, ["z"], "reads")).to.equal(0n);
  });

  it("adds up beyond 2^53", () => {
    const memory = crashingMemory();
    let journal = openJournal(memory, SCHEMA);
    for (let n = 1; n <= 3; n++) {
      const tick = tickAt(n * 10_000, { hit: 2 ** 53 - 1, missed: 1 });
      journal.begin([tick]);
      journal.settle(tick);
      journal.save();
      journal = openJournal(memory, SCHEMA);
    }
    expect(takenOf(journal, CACHE, [], "pages_hit")).to.equal(3n * (2n ** 53n - 1n));
  });

  it("reads the state of a schema with other sources, in another order", () => {
    const memory = crashingMemory();
    const journal = openJournal(memory, SCHEMA);
    journal.settle(tickAt(10_000, { hit: 4, missed: 2 }));
    journal.begin([tickAt(20_000, { hit: 1, missed: 3, reads: { a: 5 } })]);
    const reversed: MeasureSpec = {
      ...CACHE,
      sources: [{ name: "new", merge: "sum" }, ...CACHE.sources.toReversed()],
    };
    const other: Schema = { ...SCHEMA, measures: [reversed] };
    const again = openJournal(memory, other);
    expect(again.resumption?.unsettled[0]?.samples).to.deep.equal([
      makeSample(reversed, [], (source) => ({ pages_hit: 1, pages_missed: 3 })[source], IDENTITY),
    ]);
    expect(takenOf(again, reversed, [], "pages_hit")).to.equal(5n);
    expect(takenOf(again, reversed, [], "new")).to.equal(0n);
  });

  it("admits what it has room for, and what it knows already", () => {
    const journal = openJournal(crashingMemory(65_536 + 4000), SCHEMA);
    const ticks = Array.from({ length: 200 }, (_, n) =>
      tickAt((n + 1) * 10_000, { hit: 1e9 + n, missed: n }),
    );
    const admitted = journal.admit(ticks);
    expect(admitted).to.be.within(10, 190);
    const first = ticks.slice(0, admitted);
    journal.begin(first);
    expect(journal.admit(first)).to.equal(admitted);
    expect(journal.admit(ticks.slice(admitted))).to.equal(0);
    for (const tick of first) journal.settle(tick);
    expect(journal.admit(ticks.slice(admitted))).to.be.greaterThan(0);
  });

  it("says how much time no tick covers, when its process has died", () => {
    const memory = crashingMemory();
    const journal = openJournal(memory, SCHEMA);
    const ticks = [1, 2, 3, 4].map((n) => tickAt(n * 10_000, { hit: n, missed: 0 }));
    for (const tick of ticks) journal.made(tick);
    journal.begin(ticks.slice(2));
    const again = openJournal(memory, SCHEMA);
    expect(again.resumption).to.include({ lastTimestampMs: 40_000, owedMs: 20_000 });
    // The next one covers that too.
    again.made({ ...tickAt(55_000, { hit: 1, missed: 1 }), intervalMs: 35_000 });
    again.save();
    expect(openJournal(memory, SCHEMA).resumption?.owedMs).to.equal(20_000);
  });

  it("goes on with counters that began at 0 again, and with what was left of the old ones", () => {
    const memory = crashingMemory();
    const journal = openJournal(memory, SCHEMA);
    journal.adopt(7n);
    journal.settle(tickAt(10_000, { hit: 4, missed: 2 }));
    journal.begin([tickAt(20_000, { hit: 1, missed: 3 })]);
    journal.retire([makeSample(CACHE, [], (source) => ({ pages_hit: 6, pages_missed: 0 })[source])], {
      of: "the next",
    });
    const again = openJournal(memory, SCHEMA);
    expect(again.facts()).to.deep.include({ incarnation: "0", kernel: { of: "the next" } });
    again.adopt(8n);
    expect(takenOf(again, CACHE, [], "pages_hit")).to.equal(-6n);
    expect(takenOf(again, CACHE, [], "pages_missed")).to.equal(0n);
    expect(again.resumption?.unsettled).to.have.length(1);
  });

  it("takes nothing for taken of counters that it never knew", () => {
    const memory = crashingMemory();
    const journal = openJournal(memory, SCHEMA);
    journal.adopt(7n);
    journal.settle(tickAt(10_000, { hit: 4, missed: 2 }));
    journal.begin([tickAt(20_000, { hit: 1, missed: 3 })]);
    const again = openJournal(memory, SCHEMA);
    again.adopt(9n);
    expect(takenOf(again, CACHE, [], "pages_hit")).to.equal(0n);
    expect(again.resumption?.unsettled).to.have.length(1);
  });

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    it(`loses and doubles nothing when its process dies again and again (seed ${seed})`, () => {
      const world = createWorld(seed);
      for (let i = 0; i < 800; i++) step(world);
      finish(world);
      expect(storedSums(world)).to.deep.equal(Object.fromEntries(world.counters));
      expect(world.deaths).to.be.greaterThan(10);
    });
  }
});

/** The same with the identity that all have who have none. */
const identified = (tick: Tick): Tick => ({
  ...tick,
  samples: tick.samples.map((sample) => ({ ...sample, identity: IDENTITY })),
});

interface World {
  readonly memory: CrashingMemory;
  readonly random: () => number;
  /** The kernel's own counters, by series: they outlive the process. */
  readonly counters: Map<string, number>;
  readonly store: Map<string, { readonly value: number; readonly series: string; readonly storedMs: number }>;
  process: Process;
  nowMs: number;
  deaths: number;
}

interface Process {
  readonly journal: Journal;
  readonly queue: TickQueue;
  readonly taken: Map<string, number>;
  lastMs: number;
  ticks: number;
}

const SERIES: readonly Pick<Sample, "measure" | "tags">[] = [
  { measure: CACHE, tags: [] },
  ...PARTS.map((part) => ({ measure: PART, tags: [part] })),
];
const sourceOf = (measure: MeasureSpec) => (measure === PART ? "reads" : "pages_hit");

function startProcess(memory: CrashingMemory, nowMs: number): Process {
  const journal = openJournal(memory, SCHEMA);
  journal.adopt(1n);
  const limits = { maxBytes: 1e6, maxAgeMs: 1e12, batchPoints: 20, batchBytes: 1e6, deadlineMs: 15_000 };
  const queue = createTickQueue({ ...limits, paceMs: 100, windowMs: WINDOW_MS, audit: false }, journal);
  const { resumption } = journal;
  if (resumption) queue.resume(resumption);
  return {
    journal,
    queue,
    taken: new Map(
      SERIES.map(({ measure, tags }) => [
        seriesKey({ measure, tags }),
        Number(takenOf(journal, measure, tags, sourceOf(measure))),
      ]),
    ),
    lastMs: Math.max(nowMs, resumption?.lastTimestampMs ?? 0),
    ticks: 0,
  };
}

function createWorld(seed: number): World {
  // Room for some 40 ticks, so that it is full at times.
  const memory = crashingMemory(65_536 + 3000);
  const random = seededRandom(seed);
  return {
    memory,
    random,
    counters: new Map(SERIES.map((series) => [seriesKey(series), 0])),
    store: new Map(),
    process: startProcess(memory, 0),
    nowMs: 0,
    deaths: 0,
  };
}

function enqueue(world: World): void {
  const { process } = world;
  const timestampMs = Math.max(process.lastMs + 1, world.nowMs);
  const samples = SERIES.map(({ measure, tags }) => {
    const key = seriesKey({ measure, tags });
    const now = world.counters.get(key) ?? 0;
    const delta = now - (process.taken.get(key) ?? 0);
    process.taken.set(key, now);
    expect(delta).to.be.at.least(0);
    return makeSample(measure, tags, (source) => (source === sourceOf(measure) ? delta : undefined));
  });
  const tick: Tick = {
    timestampMs,
    version: tickVersion(timestampMs, process.ticks++),
    intervalMs: timestampMs - process.lastMs,
    samples,
  };
  process.lastMs = timestampMs;
  process.journal.made(tick);
  process.queue.enqueue(tick);
}

function put(world: World, { tick, sample }: Batch["points"][number]): void {
  const { measure, tags } = sample;
  const series = seriesKey({ measure, tags });
  const key = `${series}@${tick.timestampMs}`;
  const place = sample.measure.sources.findIndex(({ name }) => name === sourceOf(sample.measure));
  const value = sample.values[place] ?? Number.NaN;
  const before = world.store.get(key);
  // The same row again must be the same row, or a replay would change what is stored.
  if (before) expect(before.value).to.equal(value);
  world.store.set(key, { value, series, storedMs: world.nowMs });
}

function attempt(world: World): void {
  const { queue } = world.process;
  const batch = queue.next(world.nowMs);
  if (!batch) return;
  const answered = world.random() < 0.8;
  const kinds = batch.points.map((): "written" | "kept" =>
    answered && world.random() < 0.9 ? "written" : "kept",
  );
  batch.points.forEach((point, i) => {
    if (kinds[i] === "written" || world.random() < 0.5) put(world, point);
  });
  // It may die with the rows written, and the answers unread.
  if (world.random() < 0.05) throw new Died();
  world.nowMs += Math.floor(world.random() * 2000);
  queue.settle(
    batch,
    kinds.map((kind) => ({ kind })),
    answered ? "whole" : "none",
    world.nowMs,
  );
}

function loseConnection(world: World): void {
  for (const [key, { storedMs }] of world.store)
    if (storedMs > world.nowMs - FORGETS_MS) world.store.delete(key);
  world.process.queue.connectionLost();
}

function step(world: World): void {
  const { random } = world;
  for (const [key, value] of world.counters)
    if (random() < 0.5) world.counters.set(key, value + Math.floor(random() * 100));
  if (random() < 0.02) world.memory.dieAfter(Math.floor(random() * 6000));
  try {
    const roll = random();
    if (roll < 0.4) enqueue(world);
    else if (roll < 0.8) attempt(world);
    else if (roll < 0.84) loseConnection(world);
    else if (roll < 0.86) world.process.journal.save();
    else world.nowMs += Math.floor(random() * 8000);
    if (random() < 0.01) throw new Died();
  } catch (error) {
    if (!(error instanceof Died)) throw error;
    world.deaths++;
    world.memory.revive();
    world.nowMs += Math.floor(random() * 60_000);
    world.process = startProcess(world.memory, world.nowMs);
  }
}

/** A last process, whose server takes everything. */
function finish(world: World): void {
  world.memory.revive();
  world.process = startProcess(world.memory, world.nowMs);
  enqueue(world);
  const { queue } = world.process;
  for (let i = 0; i < 2000 && !queue.isIdle(); i++) {
    world.nowMs += 1000;
    const batch = queue.next(world.nowMs);
    if (!batch) continue;
    for (const point of batch.points) put(world, point);
    queue.settle(
      batch,
      batch.points.map(() => ({ kind: "written" as const })),
      "whole",
      world.nowMs,
    );
  }
  expect(queue.isIdle()).to.equal(true);
}

function storedSums(world: World): Record<string, number> {
  const sums = Object.fromEntries(SERIES.map((series) => [seriesKey(series), 0]));
  for (const { series, value } of world.store.values()) sums[series] = (sums[series] ?? 0) + value;
  return sums;
}
