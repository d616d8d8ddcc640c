/** What the server answers, and what it does not (labels: docs/decisions/0007). All end with a query. */
import { expect } from "chai";
import { status } from "@grpc/grpc-js";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { MetadataSchema } from "../../src/gen/banyandb/common/v1/common_pb.js";
import {
  GroupRegistryService,
  MeasureRegistryService,
} from "../../src/gen/banyandb/database/v1/database_pb.js";
import { tickBytes } from "../../src/model/tick.js";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { startScripted, type ScriptedBanyandb } from "../support/scripted-banyandb.js";
import { simulate } from "../support/simulation.js";
import { CACHE, seededRandom, tickAt } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";
import type { WriteScript } from "../support/write-script.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const CALL = { deadlineMs: 5000 };

describe("answers to a write", function () {
  this.timeout(60_000);

  let server: ScriptedBanyandb;
  let rig: Rig;

  beforeEach(async () => {
    server = await startScripted();
    rig = await openRig({ address: server.address });
  });
  afterEach(async () => {
    await rig.close();
    await server.close();
  });

  it("F9: 10 % of INTERNAL_ERROR for a while", async () => {
    await rig.connect();
    const random = seededRandom(9);
    server.play({ answer: () => (random() < 0.1 ? "STATUS_INTERNAL_ERROR" : undefined) });
    for (let i = 0; i < 10; i++) {
      rig.enqueue(10);
      await sleep(50);
    }
    server.play({});
    await rig.expectAllStored();
    expect(rig.delivery().status().points.rejected).to.equal(0);
  });

  it("F9: 1 % of INVALID_TIMESTAMP: rejected once each, and counted", async () => {
    await rig.connect();
    let refused = 0;
    let pagesHit = 0;
    const first = new Map<string, boolean>();
    server.play({
      answer: ({ metadata, dataPoint }) => {
        const seconds = dataPoint?.timestamp?.seconds ?? 0n;
        if (metadata?.name !== "cache" || seconds % 100n !== 0n) return undefined;
        // A second look at a rejected point would be a retry.
        expect(first.has(String(seconds))).to.equal(false);
        first.set(String(seconds), true);
        refused++;
        const value = dataPoint?.fields[0]?.value;
        if (value?.case === "int") pagesHit += Number(value.value.value);
        return "STATUS_INVALID_TIMESTAMP";
      },
    });
    rig.enqueue(300);
    await rig.acknowledged();
    const { points } = rig.delivery().status();
    expect(refused).to.be.within(2, 4);
    expect(points).to.include({ rejected: refused, collected: 903, written: 903 - refused });
    const truth = rig.truth();
    expect(await rig.storedTruth()).to.deep.equal({
      hit: truth.hit - pagesHit,
      missed: truth.missed - refused,
      reads: truth.reads,
    });
    expect(rig.delivery().totals().rejected["cache.pages_hit"]).to.equal(pagesHit);
  });

  it("F10: one message fails the server's validation: it is lost alone, for at most two more streams", async () => {
    await rig.connect();
    rig.enqueue(1);
    await rig.acknowledged();
    const before = server.streams();
    let poison: bigint | undefined;
    server.play({
      answer: ({ metadata, messageId, dataPoint }) => {
        const seconds = dataPoint?.timestamp?.seconds;
        // One in the middle of the backlog.
        if (messageId === 199n && metadata?.name === "cache") poison ??= seconds;
        return metadata?.name === "cache" && seconds === poison ? "INVALID_ARGUMENT" : undefined;
      },
    });
    rig.enqueue(301);
    await rig.acknowledged();
    expect(poison).not.to.equal(undefined);
    const { points } = rig.delivery().status();
    expect(points).to.include({ rejected: 1, written: points.collected - 1 });
    // Without it: the newest tick, and one batch of 900.
    expect(server.streams() - before).to.be.at.most(2 + 2);
    const { missed } = await rig.storedTruth();
    expect(missed).to.equal(rig.truth().missed - 1);
  });

  const refusals: readonly [string, WriteScript, string][] = [
    [
      "F11: the server sheds load",
      {
        refuse: {
          code: status.RESOURCE_EXHAUSTED,
          details: "server is under memory pressure, please retry later",
        },
      },
      "RESOURCE_EXHAUSTED",
    ],
    ["F12: the disk is full", { answer: () => "STATUS_DISK_FULL" }, "DISK_FULL"],
    [
      "the server does not know the call",
      { refuse: { code: status.UNIMPLEMENTED, details: "" } },
      "UNIMPLEMENTED",
    ],
    ["the password is wrong", { refuse: { code: status.UNAUTHENTICATED, details: "" } }, "UNAUTHENTICATED"],
  ];
  for (const [name, script, code] of refusals) {
    it(`${name}: kept, with one stream in three seconds, and delivered by another server`, async () => {
      await rig.connect();
      server.play(script);
      const before = server.streams();
      rig.enqueue(5);
      await waitFor("the trouble is told", () => rig.delivery().status().trouble?.code === code);
      rig.enqueue(5);
      await sleep(3000);
      expect(server.streams() - before).to.equal(1);
      // A floor speaks of the server behind this connection.
      server.play({});
      rig.proxy.reset();
      await rig.expectAllStored();
      expect(rig.delivery().status().points.rejected).to.equal(0);
    });
  }

  it("replies are missing, though the stream ends well", async () => {
    await rig.connect();
    server.play({ mutes: ({ messageId }) => messageId % 3n === 0n });
    rig.enqueue(30);
    await sleep(1000);
    server.play({});
    await rig.expectAllStored();
    expect(rig.delivery().status().points).to.include({ written: 93, rejected: 0 });
  });

  it("INTERNAL after everything was stored: sent again under the same version", async () => {
    await rig.connect();
    let first = true;
    server.play({
      answer: ({ messageId }) => {
        if (!first || messageId !== 80n) return undefined;
        first = false;
        return "STATUS_INTERNAL_ERROR";
      },
      mutes: () => true,
    });
    rig.enqueue(30);
    await sleep(500);
    server.play({});
    await rig.expectAllStored();
  });

  it("what is acknowledged and not stored is found by the audit", async () => {
    await rig.close();
    rig = await openRig({ address: server.address, delivery: { audit: true } });
    rig.start({ timing: { windowMs: 200 } });
    server.play({ forgets: ({ messageId }) => messageId % 2n === 1n });
    rig.enqueue(1);
    await rig.acknowledged();
    server.play({});
    expect(await rig.storedTruth()).not.to.deep.equal(rig.truth());
    // The window is ended by an answer.
    await sleep(300);
    rig.enqueue(1);
    await rig.expectAllStored();
    expect(rig.delivery().status().points).to.include({ written: 6, unstored: 2, resent: 2 });
  });

  it("F23: a measure is deleted again and again", async () => {
    await rig.connect();
    for (let i = 0; i < 5; i++) {
      rig.enqueue(20);
      // In the middle of a stream the server acknowledges what it no longer stores: that is for the audit.
      await rig.acknowledged();
      const metadata = create(MetadataSchema, { group: rig.config.group, name: "cache" });
      await rig.direct.call(MeasureRegistryService.method.delete, { metadata }, CALL);
    }
    rig.enqueue(1);
    await rig.expectAllStored();
    expect(rig.delivery().status().points.rejected).to.equal(0);
  });

  it("F23: the whole group is deleted; what comes after is stored in a new one", async () => {
    await rig.connect();
    await rig.direct.call(GroupRegistryService.method.delete, { group: rig.config.group, force: true }, CALL);
    rig.enqueue(3);
    await rig.acknowledged();
    // Somebody deleted the first row, which is 1; it is not ours to bring back.
    expect((await rig.storedTruth()).hit).to.equal(rig.truth().hit - 1);
  });
});

describe("answers that last, in virtual time", function () {
  this.timeout(60_000);

  it("F11: five minutes of RESOURCE_EXHAUSTED: at most one stream per five seconds", async () => {
    const sim = simulate();
    await sim.pass(MINUTE_MS);
    const before = sim.server.streams.length;
    sim.server.play({ refuse: { code: status.RESOURCE_EXHAUSTED, details: "memory pressure" } });
    await sim.pass(5 * MINUTE_MS);
    sim.server.play({});
    const times = sim.server.streams.slice(before).map(({ openedMs }) => openedMs);
    const gaps = times.slice(1).map((at, i) => at - (times[i] ?? 0));
    expect(Math.min(...gaps)).to.be.at.least(5000);
    await sim.pass(MINUTE_MS);
    await sim.expectAllStored();
  });

  it("F12: a day of DISK_FULL in a queue of 200 ticks: slow retries, and resolution is all that is lost", async () => {
    const tick = tickAt(1, { hit: 1, missed: 1, reads: { p0: 1, p1: 1 } });
    const sim = simulate({ maxBytes: 200 * tickBytes(tick), checked: false });
    await sim.pass(MINUTE_MS);
    const before = sim.server.streams.length;
    sim.server.play({ answer: () => "STATUS_DISK_FULL" });
    await sim.pass(24 * HOUR_MS);
    expect(sim.server.streams.length - before).to.be.at.most((24 * HOUR_MS) / 30_000 + 3);
    sim.server.play({});
    await sim.pass(5 * MINUTE_MS);
    expect(sim.delivery.status().points).to.include({ dropped: 0, rejected: 0 });
    await sim.expectAllStored();
  });

  it("a point that is refused for ever does not stop the others", async () => {
    const sim = simulate();
    await sim.pass(MINUTE_MS);
    const bad = BigInt(sim.timestampOf(sim.ticks()) / 1000);
    sim.server.play({
      answer: ({ dataPoint }) =>
        dataPoint?.timestamp?.seconds === bad ? "STATUS_INTERNAL_ERROR" : undefined,
    });
    await sim.pass(10 * MINUTE_MS + 1000);
    expect(sim.delivery.status().points).to.include({ rejected: 3, queued: 0 });
    expect((await sim.stored(CACHE)).rows).to.have.length(sim.ticks() - 1);
  });

  it("F15: only beyond queue.max_age ticks are dropped, and exactly counted", async () => {
    const sim = simulate({ maxAgeMs: HOUR_MS });
    await sim.pass(MINUTE_MS);
    sim.server.set("refused");
    const firstLost = sim.ticks();
    await sim.pass(3 * HOUR_MS);
    sim.server.set("up");
    await sim.pass(2 * MINUTE_MS + 1000);
    const { sums, rows } = await sim.stored(CACHE);
    const { dropped, queued } = sim.delivery.status().points;
    expect([dropped, queued]).to.deep.equal([3 * (sim.ticks() - rows.length), 0]);
    // An hour of ticks was kept, and the drop is one piece: what was oldest.
    expect(rows.length).to.be.within(firstLost + 360, firstLost + 375);
    const totals = sim.delivery.totals();
    expect(sums["pages_hit"]).to.equal(totals.written["cache.pages_hit"]);
    expect((totals.dropped["cache.pages_hit"] ?? 0) + (sums["pages_hit"] ?? 0)).to.equal(
      sim.truth["cache.pages_hit"],
    );
  });
});

describe("the audit", function () {
  this.timeout(60_000);

  it("finds what was acknowledged and not stored, counts it and sends it again", async () => {
    const sim = simulate({ audit: true });
    await sim.pass(MINUTE_MS);
    const random = seededRandom(5);
    let forgotten = 0;
    sim.server.play({
      forgets: () => {
        if (random() > 0.3) return false;
        forgotten++;
        return true;
      },
    });
    await sim.pass(5 * MINUTE_MS);
    sim.server.play({});
    await sim.pass(2 * MINUTE_MS);
    await sim.expectAllStored();
    const { unstored, resent, written, collected } = sim.delivery.status().points;
    expect(forgotten).to.be.above(20);
    expect(unstored).to.equal(forgotten);
    expect(resent).to.equal(forgotten);
    expect(written).to.equal(collected);
  });

  it("without it they would be lost", async () => {
    const sim = simulate();
    await sim.pass(MINUTE_MS);
    sim.server.play({ forgets: () => true });
    await sim.pass(MINUTE_MS);
    sim.server.play({});
    await sim.pass(2 * MINUTE_MS);
    expect((await sim.stored(CACHE)).rows.length).to.be.below(sim.ticks());
  });

  it("asks at most once per ten seconds and measure", async () => {
    const sim = simulate({ audit: true });
    await sim.pass(MINUTE_MS);
    const before = sim.server.queries();
    await sim.pass(10 * MINUTE_MS);
    expect(sim.server.queries() - before).to.be.within(60, 2 * 61);
  });
});
