/**
 * Random schedules of faults, in virtual time, with the laws of delivery checked after every event. The seed is in
 * the name of each test; `SEED=n npm run test:faults` repeats one. The labels I1 to I12 are those of
 * docs/decisions/0007.
 */
import { expect } from "chai";
import { status } from "@grpc/grpc-js";
import { tickBytes } from "../../src/model/tick.js";
import type { WriteRequest } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { simulate, type Simulation } from "../support/simulation.js";
import { CACHE, PART, seededRandom, tickAt } from "../support/ticks.js";
import type { WriteScript } from "../support/write-script.js";

const MINUTE_MS = 60_000;
const INTERVAL_MS = 10_000;
const FAULTS = 40;
/** Longest floor of a failure (UNIMPLEMENTED), with its jitter, and a few attempts. */
const HEALED_WITHIN_MS = 10 * MINUTE_MS;

const given = process.env["SEED"];
const base = given === undefined ? Math.floor(Math.random() * 1e6) : Number(given);
const seeds = Array.from({ length: given === undefined ? 12 : 1 }, (_, i) => base + i);

/** A point that no server takes; by its time, so that it is the same one whenever it comes. */
function isPoison({ dataPoint }: WriteRequest): boolean {
  return (dataPoint?.timestamp?.seconds ?? 0n) % 170n === 0n;
}

function statusScript(random: () => number): WriteScript {
  const statuses = ["INTERNAL_ERROR", "DISK_FULL", "SCHEMA_NOT_APPLIED", "NOT_FOUND", "SOMETHING_NEW"];
  const name = `STATUS_${statuses[Math.floor(random() * statuses.length)] ?? ""}`;
  // Either some points or all: ten refusals of one among others would reject it.
  const share = random() < 0.5 ? 1 : 0.1;
  return { answer: () => (random() < share ? name : undefined) };
}

function refusalScript(random: () => number): WriteScript {
  const refusals = [
    { code: status.RESOURCE_EXHAUSTED, details: "server is under memory pressure, please retry later" },
    { code: status.UNAVAILABLE, details: "shutting down" },
    { code: status.INTERNAL, details: "panic" },
    { code: status.UNAUTHENTICATED, details: "no such user" },
    { code: status.UNIMPLEMENTED, details: "unknown method Write" },
    { code: status.CANCELLED, details: "by the server" },
  ];
  return {
    refuse: refusals[Math.floor(random() * refusals.length)] ?? { code: status.UNKNOWN, details: "" },
  };
}

interface Schedule {
  readonly sim: Simulation;
  readonly random: () => number;
  /** What every script does besides. */
  readonly always: WriteScript;
}

/** One fault, for a while. */
async function fault({ sim, random, always }: Schedule): Promise<void> {
  const { server } = sim;
  const play = (script: WriteScript): void => {
    server.play({ ...script, ...always, answer: (r) => always.answer?.(r) ?? script.answer?.(r) });
  };
  const kinds: readonly (() => void)[] = [
    () => {
      server.set("refused");
    },
    () => {
      server.set("hole");
    },
    () => {
      server.reset();
    },
    () => {
      server.stop();
    },
    () => {
      play(statusScript(random));
    },
    () => {
      play(refusalScript(random));
    },
    () => {
      play({ mutes: () => random() < 0.2 });
    },
    () => {
      server.setLatency(random() * 12_000);
    },
    () => {
      server.deleteMeasure("simulated", "cache");
    },
  ];
  kinds[Math.floor(random() * kinds.length)]?.();
  await sim.pass(random() ** 3 * 3 * MINUTE_MS);
  if (random() < 0.7) heal({ sim, random, always });
  await sim.pass(random() * 30_000);
}

function heal({ sim, always }: Schedule): void {
  sim.server.set("up");
  sim.server.play(always);
  sim.server.setLatency(1);
}

async function expectHealed(schedule: Schedule): Promise<void> {
  const { sim } = schedule;
  heal(schedule);
  const newest = sim.timestampOf(sim.ticks() - 1);
  await sim.passUntil(() => (sim.delivery.status().lastWrittenTimestampMs ?? 0) >= newest, HEALED_WITHIN_MS);
  await sim.passUntil(() => {
    const { queued, inFlight } = sim.delivery.status().points;
    return queued + inFlight === 0;
  }, HEALED_WITHIN_MS);
  // The replay of what was acknowledged before the last fault.
  await sim.pass(30_000);
}

/** I7: one stream at a time, and none older than its deadline. */
function expectShortStreams({ server }: Simulation): void {
  let before = 0;
  for (const { openedMs, endedMs } of server.streams) {
    expect(openedMs).to.be.at.least(before);
    before = endedMs ?? openedMs;
    expect(before - openedMs).to.be.at.most(16_000);
  }
}

describe("random schedules of faults", function () {
  this.timeout(60_000);

  for (const seed of seeds) {
    it(`I1, I2, I3, I4, I7, I11: cost no count, and every tick keeps its row in a queue with room (SEED=${seed})`, async () => {
      const sim = simulate({ seed });
      const schedule: Schedule = { sim, random: seededRandom(seed + 2), always: {} };
      for (let i = 0; i < FAULTS; i++) await fault(schedule);
      await expectHealed(schedule);
      expectShortStreams(sim);
      // I11, I2, I3: no tick was skipped, none is lost, none counts twice.
      expect(sim.delivery.status().points.collected).to.equal(3 * sim.ticks());
      await sim.expectAllStored();
      // I4: one row per tick, in order.
      const times = (await sim.stored(CACHE)).rows.map(({ timestampMs }) => timestampMs);
      expect(times).to.deep.equal(times.map((_, tick) => sim.timestampOf(tick)));
      expect(times).to.have.length(sim.ticks());
      expect((await sim.stored(PART)).rows).to.have.length(2 * sim.ticks());
    });

    it(`I1, I5, I6: cost resolution only, in a queue of 40 ticks (SEED=${seed})`, async () => {
      const tick = tickAt(1, { hit: 1, missed: 1, reads: { p0: 1, p1: 1 } });
      const sim = simulate({ seed, maxBytes: 40 * tickBytes(tick) });
      const schedule: Schedule = { sim, random: seededRandom(seed + 3), always: {} };
      for (let i = 0; i < FAULTS; i++) await fault(schedule);
      sim.server.set("refused");
      await sim.pass(20 * MINUTE_MS);
      await expectHealed(schedule);
      expectShortStreams(sim);
      // I6: overflow merges.
      const { coalesced, dropped } = sim.delivery.status().points;
      expect(coalesced).to.be.above(0);
      expect(dropped).to.equal(0);
      await sim.expectAllStored();
      const { sums } = await sim.stored(CACHE);
      expect(sums["interval_ms"]).to.equal(sim.ticks() * INTERVAL_MS);
    });

    it(`I1, I12: reject each point that no server takes once, and no other (SEED=${seed})`, async () => {
      const sim = simulate({ seed });
      let seen = 0;
      const always: WriteScript = {
        answer: (request) => {
          if (!isPoison(request)) return undefined;
          seen++;
          return "STATUS_INVALID_TIMESTAMP";
        },
      };
      const schedule: Schedule = { sim, random: seededRandom(seed + 4), always };
      heal(schedule);
      for (let i = 0; i < FAULTS; i++) await fault(schedule);
      await expectHealed(schedule);
      const { written, rejected, collected } = sim.delivery.status().points;
      expect(rejected % 3).to.equal(0);
      expect(rejected).to.be.above(0);
      expect(written + rejected).to.equal(collected);
      expect(sim.delivery.totals().written).to.deep.include(await sim.storedSums());
      // I12: what was rejected does not come again.
      const before = seen;
      await sim.pass(15_000);
      sim.server.reset();
      await sim.pass(4 * INTERVAL_MS);
      const fresh = [0, 1, 2, 3, 4, 5].filter(
        (n) => (sim.timestampOf(sim.ticks() - 1 - n) / 1000) % 170 === 0,
      );
      expect(seen - before).to.be.at.most(3 * fresh.length);
    });
  }
});
