/** Outages that last, in virtual time: the delivery is the real one, only network and clock are simulated. */
import { expect } from "chai";
import { createLog } from "../../src/observe/log.js";
import { Writable } from "node:stream";
import { CACHE, tickAt } from "../support/ticks.js";
import { tickBytes } from "../../src/model/tick.js";
import { createWorld, simulate, type Simulation } from "../support/simulation.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const INTERVAL_MS = 10_000;

function isDrained({ delivery }: Simulation): boolean {
  const { queued, inFlight } = delivery.status().points;
  return queued + inFlight === 0;
}

describe("long outages", function () {
  this.timeout(180_000);

  it("F2, I8, I9: 30 minutes of refused connections cost nothing, and are made up for within a minute", async () => {
    const sim = simulate();
    await sim.pass(MINUTE_MS);
    const callsBefore = sim.server.calls();
    sim.server.set("refused");
    await sim.pass(30 * MINUTE_MS);
    // Attempts per outage, the settled bound of docs/decisions/0002.
    expect(sim.server.calls() - callsBefore).to.be.at.most(6 + (30 * MINUTE_MS) / INTERVAL_MS);
    expect(sim.delivery.status().points.queued).to.be.at.least(3 * 180);
    const collected = sim.ticks();
    sim.server.set("up");
    const newest = sim.timestampOf(collected - 1);
    const freshMs = await sim.passUntil(
      () => (sim.delivery.status().lastWrittenTimestampMs ?? 0) >= newest,
      20_000,
    );
    const drainedMs = freshMs + (await sim.passUntil(() => isDrained(sim), MINUTE_MS - freshMs));
    await sim.expectAllStored();
    expect((await sim.stored(CACHE)).rows).to.have.length(sim.ticks());
    console.log(`        fresh row after ${freshMs} ms, drained after ${drainedMs} ms`);
  });

  it("F3, F4: a way on which nothing moves for 30 minutes costs nothing, and heals within 75 s", async () => {
    const sim = simulate();
    await sim.pass(MINUTE_MS);
    sim.server.set("hole");
    await sim.pass(30 * MINUTE_MS);
    sim.server.set("up");
    const newest = sim.timestampOf(sim.ticks() - 1);
    // 60 s between two new channels, and the attempt under way.
    const freshMs = await sim.passUntil(
      () => (sim.delivery.status().lastWrittenTimestampMs ?? 0) >= newest,
      75_000,
    );
    await sim.passUntil(() => isDrained(sim), MINUTE_MS);
    await sim.expectAllStored();
    console.log(`        fresh row after ${freshMs} ms`);
  });

  it("F15, I6: 24 hours in a queue of 1000 ticks cost resolution, never a count", async () => {
    const tick = tickAt(1, { hit: 1, missed: 1, reads: { p0: 1, p1: 1 } });
    const sim = simulate({ maxBytes: 1000 * tickBytes(tick), checked: false });
    await sim.pass(MINUTE_MS);
    sim.server.set("refused");
    await sim.pass(24 * HOUR_MS);
    sim.server.set("up");
    await sim.passUntil(() => isDrained(sim), 10 * MINUTE_MS);
    await sim.expectAllStored();
    const { rows, sums } = await sim.stored(CACHE);
    const widestMs = Math.max(...rows.map(({ fields }) => fields["interval_ms"] ?? 0));
    expect(widestMs).to.be.at.most(5 * MINUTE_MS);
    expect(sums["interval_ms"]).to.equal(sim.ticks() * INTERVAL_MS);
    const { coalesced, dropped } = sim.delivery.status().points;
    expect(coalesced).to.be.above(0);
    expect(dropped).to.equal(0);
    console.log(`        ${sim.ticks()} ticks in ${rows.length} rows, the widest ${widestMs / 1000} s`);
  });

  it("F21, I14: an outage of an hour is a few lines of log", async () => {
    let lines = 0;
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        lines++;
        done();
      },
    });
    const world = createWorld(3);
    const log = createLog({ level: "info", stream, clock: world.time.clock });
    const sim = simulate({ seed: 3, world, delivery: { log } });
    await sim.pass(MINUTE_MS);
    sim.server.set("refused");
    const before = lines;
    await sim.pass(HOUR_MS);
    // At most one per 30 s and cause; there are two causes.
    expect(lines - before).to.be.within(1, 2 * (HOUR_MS / 30_000 + 1));
    sim.server.set("up");
    await sim.passUntil(() => isDrained(sim), 2 * MINUTE_MS);
    await sim.expectAllStored();
  });
});
