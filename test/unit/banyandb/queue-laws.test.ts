/**
 * The laws of the queue under random operations, against a server that answers as it likes, stores what it did
 * not acknowledge, and forgets what it acknowledged in the last five seconds before every lost connection; on a way
 * that is sometimes too slow for a batch, so that only some answers come, or none.
 */
import { expect } from "chai";
import type { Answer, Outcome } from "../../../src/banyandb/outcome.js";
import { createTickQueue, type Batch, type QueueSums, type TickQueue } from "../../../src/banyandb/queue.js";
import { seriesKey } from "../../../src/model/tick.js";
import { PART, seededRandom, tickAt } from "../../support/ticks.js";

const FORGETS_MS = 5000;
const STEPS = 1500;
const DEADLINE_MS = 15_000;

interface StoredRow {
  readonly value: number;
  readonly version: bigint;
  readonly name: string;
  readonly storedMs: number;
}

/** Rows by series and timestamp, as the server keeps them. */
type Store = Map<string, StoredRow>;

interface World {
  readonly queue: TickQueue;
  readonly store: Store;
  readonly random: () => number;
  readonly maxBytes: number;
  readonly mayReject: boolean;
  nowMs: number;
  timestampMs: number;
  /** Points that the way carries within the time of a stream. */
  capacity: number;
}

function store(world: World, { tick, sample }: Batch["points"][number]): void {
  const key = `${seriesKey(sample)}@${tick.timestampMs}`;
  const value = sample.values[0] ?? Number.NaN;
  const before = world.store.get(key);
  // The same row again must be the same row, or a replay would change what is stored.
  if (before) expect(before).to.include({ value, version: tick.version });
  const name = sample.measure === PART ? "part.reads" : "cache.pages_hit";
  world.store.set(key, { value, version: tick.version, name, storedMs: world.nowMs });
}

function outcomeOf(world: World): Outcome {
  const roll = world.random();
  if (world.mayReject && roll < 0.05) return { kind: "rejected", reason: "invalid_timestamp" };
  if (world.mayReject && roll < 0.15) return { kind: "struck", reason: "internal_error" };
  return roll < 0.7 ? { kind: "written" } : { kind: "kept" };
}

/** Points of a batch that are answered, and how long that takes. */
function carry(world: World, points: number): { readonly answered: number; readonly tookMs: number } {
  if (points > world.capacity) {
    const answered = world.random() < 0.5 ? 0 : Math.floor(world.random() * points);
    return { answered, tookMs: DEADLINE_MS };
  }
  const tookMs = Math.floor((points / world.capacity) * world.random() * DEADLINE_MS);
  return { answered: world.random() < 0.7 ? points : 0, tookMs };
}

function answerOf(answered: number, points: number): Answer {
  if (answered === points) return "whole";
  return answered > 0 ? "part" : "none";
}

function attempt(world: World): void {
  const batch = world.queue.next(world.nowMs);
  if (!batch) return;
  expectLaws(world);
  const { answered, tookMs } = carry(world, batch.points.length);
  world.nowMs += tookMs;
  // A tick may come, and the connection may break, while the batch is under way.
  if (world.random() < 0.3) enqueue(world);
  const outcomes = batch.points.map((_, i): Outcome => (i < answered ? outcomeOf(world) : { kind: "kept" }));
  batch.points.forEach((point, i) => {
    const ambiguous = outcomes[i]?.kind === "kept" && world.random() < 0.5;
    if (outcomes[i]?.kind === "written" || ambiguous) store(world, point);
  });
  if (world.random() < 0.1) loseConnection(world);
  world.queue.settle(batch, outcomes, answerOf(answered, batch.points.length), world.nowMs);
}

function enqueue(world: World): void {
  world.timestampMs += 10_000;
  const reads: Record<string, number> = {};
  // Some are too wide for a batch on a slow way.
  const parts = world.random() < 0.1 ? 15 : Math.floor(world.random() * 4);
  for (let i = parts; i > 0; i--) reads[`p${i}`] = Math.floor(world.random() * 1000);
  world.queue.enqueue(
    tickAt(world.timestampMs, { hit: Math.floor(world.random() * 1000), missed: 1, reads }),
  );
}

function loseConnection(world: World): void {
  for (const [key, { storedMs }] of world.store) {
    if (storedMs > world.nowMs - FORGETS_MS) world.store.delete(key);
  }
  world.queue.connectionLost();
}

function step(world: World): void {
  const roll = world.random();
  if (roll < 0.4) enqueue(world);
  else if (roll < 0.85) attempt(world);
  else if (roll < 0.9) loseConnection(world);
  else if (roll < 0.97) world.nowMs += Math.floor(world.random() * 8000);
  else world.capacity = Math.floor(10 * 10 ** world.random());
}

function expectLaws({ queue, maxBytes }: World): void {
  const { collected, written, rejected, coalesced, dropped, queued, inFlight } = queue.counts();
  expect(written + rejected + coalesced + dropped + queued + inFlight).to.equal(collected);
  expect(Math.min(written, rejected, coalesced, dropped, queued, inFlight)).to.be.at.least(0);
  expect(queue.bytes()).to.be.within(0, maxBytes);
  const sums = queue.sums();
  for (const [name, taken] of Object.entries(sums.taken)) {
    const others: readonly (keyof QueueSums)[] = ["written", "rejected", "dropped", "held"];
    const sum = others.reduce((total, account) => total + (sums[account][name] ?? 0), 0);
    expect(sum, name).to.equal(taken);
  }
}

function storedSum({ store: rows }: World, name: string): number {
  return [...rows.values()].filter((row) => row.name === name).reduce((sum, { value }) => sum + value, 0);
}

function run(seed: number, maxBytes: number, mayReject: boolean): World {
  const queue = createTickQueue({
    maxBytes,
    batchPoints: 20,
    batchBytes: 1e5,
    deadlineMs: DEADLINE_MS,
    paceMs: 1000,
    windowMs: 15_000,
    maxAgeMs: Number.POSITIVE_INFINITY,
    audit: false,
  });
  const world = {
    queue,
    store: new Map(),
    random: seededRandom(seed),
    maxBytes,
    mayReject,
    nowMs: 0,
    timestampMs: 0,
    capacity: 1000,
  };
  for (let i = 0; i < STEPS; i++) {
    step(world);
    expectLaws(world);
  }
  return world;
}

/** A server that takes everything from now on. */
function heal(world: World): void {
  for (let i = 0; i < 10_000 && world.queue.dueAtMs(world.nowMs) !== undefined; i++) {
    world.nowMs += 1000;
    const batch = world.queue.next(world.nowMs);
    if (!batch) continue;
    for (const point of batch.points) store(world, point);
    world.queue.settle(
      batch,
      batch.points.map((): Outcome => ({ kind: "written" })),
      "whole",
      world.nowMs,
    );
    expectLaws(world);
  }
}

describe("laws of the queue", function () {
  this.timeout(20_000);

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`hold at any instant in a queue of a few ticks (seed ${seed})`, () => {
      const { queue } = run(seed, 12_000, true);
      const { coalesced, dropped, rejected, written, resent } = queue.counts();
      // Otherwise this run has not been where it hurts.
      expect(Math.min(coalesced, rejected, written, resent)).to.be.above(0);
      expect(dropped + queue.unprotected()).to.be.above(0);
    });

    it(`leave exactly in the server what was taken, in a queue with room (seed ${seed})`, () => {
      const world = run(seed, 1e7, false);
      expect(world.queue.counts().dropped).to.equal(0);
      heal(world);
      for (const name of ["cache.pages_hit", "part.reads"]) {
        const { taken, written } = world.queue.sums();
        expect(written[name]).to.equal(taken[name]);
        expect(storedSum(world, name), name).to.equal(taken[name]);
      }
    });
  }
});
