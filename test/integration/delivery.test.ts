/**
 * Delivery against a BanyanDB, through a way that breaks: whatever happens, what is stored, as the server's query
 * tells it, is what was enqueued, for every source. Acknowledgements prove nothing here.
 */
import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { setTimeout as sleep } from "node:timers/promises";
import type { StoredRow } from "../../src/banyandb/read-back.js";
import { wantedGroup, wantedMeasure } from "../../src/banyandb/schema-wanted.js";
import {
  FieldType,
  GroupRegistryService,
  MeasureRegistryService,
} from "../../src/gen/banyandb/database/v1/database_pb.js";
import { MetadataSchema } from "../../src/gen/banyandb/common/v1/common_pb.js";
import type { MeasureSpec } from "../../src/model/measure.js";
import { tickBytes } from "../../src/model/tick.js";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { openRig, type Rig, type RigOptions } from "../support/delivery-rig.js";
import { startFaultProxy } from "../support/fault-proxy.js";
import { CACHE, SCHEMA, seededRandom, tickAt } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";
import { present } from "../support/present.js";

const CALL = { deadlineMs: 5000 };
const STEP_MS = 1000;

describe("delivery", function () {
  this.timeout(90_000);

  let server: BanyandbServer;
  let rig: Rig;

  before(async () => {
    server = await startBanyandbServer();
  });
  after(async () => {
    await server.close();
  });

  beforeEach(async () => {
    rig = await openRig({ address: server.address });
  });
  afterEach(async () => {
    await rig.close();
  });

  /** Another rig in the place of the usual one. */
  async function reopen(options: Omit<RigOptions, "address">): Promise<void> {
    await rig.close();
    rig = await openRig({ address: server.address, ...options });
  }

  function metadata(measure: MeasureSpec): { metadata: ReturnType<typeof create<typeof MetadataSchema>> } {
    return { metadata: create(MetadataSchema, { group: rig.config.group, name: measure.name }) };
  }

  function controls(): NonNullable<BanyandbServer["controls"]> {
    if (!server.controls) throw new Error("this test needs a server that it may stop");
    return server.controls;
  }

  it("makes the schema and stores every field of every row", async () => {
    rig.start();
    rig.enqueue(5);
    await rig.expectAllStored();
    const { rows } = await rig.stored(CACHE);
    expect(rows).to.have.length(5);
    const [first] = rows as [StoredRow];
    expect(first.timestampMs).to.equal(rig.beganMs + STEP_MS);
    expect(first.tags).to.deep.equal({ node_id: "host-a:17912", cluster: "test" });
    expect(first.fields).to.deep.equal({
      pages_hit: 1,
      pages_missed: 1,
      hit_rate_percent: 50,
      interval_ms: STEP_MS,
    });
    const status = rig.delivery().status();
    expect(status.points).to.include({
      collected: 15,
      written: 15,
      queued: 0,
      inFlight: 0,
      rejected: 0,
      dropped: 0,
    });
    expect(status.schema).to.deep.equal({ state: "ready", diff: [] });
    expect([status.sink.version, status.trouble]).to.deep.equal([server.version, undefined]);
  });

  it("waits for a server that is not there at first", async () => {
    await rig.proxy.set({ kind: "refuse" });
    rig.start();
    rig.enqueue(20);
    await waitFor("the trouble is told", () => rig.delivery().status().trouble?.code === "UNAVAILABLE");
    await sleep(1500);
    expect(rig.delivery().status().points).to.include({ collected: 60, written: 0, queued: 60 });
    await rig.proxy.set({ kind: "open" });
    await rig.expectAllStored();
    expect(rig.delivery().status().trouble).to.equal(undefined);
  });

  it("keeps everything while connections are refused, and catches up", async () => {
    rig.start();
    rig.enqueue(3);
    await rig.acknowledged();
    await rig.proxy.set({ kind: "refuse" });
    for (let i = 0; i < 10; i++) {
      rig.enqueue(1);
      await sleep(100);
    }
    await rig.proxy.set({ kind: "open" });
    rig.enqueue(1);
    await rig.expectAllStored();
  });

  it("goes on to the next endpoint when one does not answer", async () => {
    const dead = await startFaultProxy(server.address);
    await dead.close();
    const alive = await startFaultProxy(server.address);
    await reopen({ banyandb: { endpoints: [dead.address, alive.address] } });
    rig.start();
    rig.enqueue(3);
    await rig.expectAllStored();
    expect(rig.delivery().status().sink.address).to.equal(alive.address);
    await alive.set({ kind: "refuse" });
    rig.enqueue(3);
    await sleep(1000);
    await alive.set({ kind: "open" });
    await rig.expectAllStored();
    await rig.close();
    await alive.close();
  });

  it("survives a way on which nothing moves", async () => {
    rig.start({ timing: { attemptDeadlineMs: 800 } });
    rig.enqueue(3);
    await rig.acknowledged();
    await rig.proxy.set({ kind: "silent" });
    rig.enqueue(5);
    await waitFor(
      "a deadline is missed",
      () => (rig.delivery().status().streams["DEADLINE_EXCEEDED"] ?? 0) > 0,
    );
    rig.enqueue(5);
    await rig.proxy.set({ kind: "open" });
    await rig.expectAllStored();
  });

  it("takes ticks at once however slow the server is, and delivers them", async () => {
    rig.start();
    await rig.proxy.set({ kind: "slow", delayMs: 100 });
    const beforeMs = performance.now();
    rig.enqueue(50);
    expect(performance.now() - beforeMs).to.be.below(90);
    await rig.expectAllStored();
  });

  for (const share of [0.3, 0.7, 0.99]) {
    it(`loses and doubles nothing when the connection breaks after ${share * 100} % of a batch`, async () => {
      await rig.connect();
      // 300 ticks of 3 rows, each of at least 110 bytes.
      rig.proxy.resetAfterRequestBytes(300 * 3 * 110 * share);
      rig.enqueue(300);
      await rig.expectAllStored();
      expect(rig.proxy.connections()).to.be.above(1);
    });
  }

  it("loses and doubles nothing when the connection breaks among the replies", async () => {
    await rig.connect();
    rig.proxy.resetAfterReplyBytes(5000);
    rig.enqueue(300);
    await rig.expectAllStored();
    expect(rig.proxy.connections()).to.be.above(1);
  });

  it("loses and doubles nothing over many broken connections", async () => {
    const random = seededRandom(11);
    rig.start({ timing: { attemptDeadlineMs: 2000 } });
    for (let i = 0; i < 40; i++) {
      rig.enqueue(1 + Math.floor(random() * 20));
      if (random() < 0.3) rig.proxy.resetAfterRequestBytes(Math.floor(random() * 20_000));
      if (random() < 0.3) rig.proxy.resetAfterReplyBytes(Math.floor(random() * 5000));
      if (random() < 0.1) rig.proxy.reset();
      await sleep(100 * random());
    }
    rig.proxy.resetAfterRequestBytes(Number.POSITIVE_INFINITY);
    rig.proxy.resetAfterReplyBytes(Number.POSITIVE_INFINITY);
    await rig.expectAllStored();
  });

  it("sends again what a killed server had acknowledged and forgot", async () => {
    rig.start();
    rig.enqueue(10);
    await rig.acknowledged();
    await controls().kill();
    rig.enqueue(5);
    await sleep(500);
    await controls().restart();
    await rig.expectAllStored();
    expect(rig.delivery().status().points).to.include({ collected: 45, written: 45 });
    expect(rig.delivery().status().points.resent).to.be.at.least(30);
  });

  it("sends again what a server forgot that was stopped gracefully right after its acknowledgement", async () => {
    rig.start();
    rig.enqueue(10);
    await rig.acknowledged();
    await controls().stop();
    await controls().restart();
    await rig.expectAllStored();
    expect(rig.delivery().status().points.resent).to.be.at.least(30);
  });

  it("loses nothing when the server is killed in the middle of a batch", async () => {
    await rig.connect();
    await rig.proxy.set({ kind: "slow", delayMs: 50 });
    rig.enqueue(300);
    await sleep(120);
    await controls().kill();
    await rig.proxy.set({ kind: "open" });
    await controls().restart();
    await rig.expectAllStored();
  });

  it("makes the schema again when it was deleted while running", async () => {
    rig.start();
    rig.enqueue(3);
    await rig.acknowledged();
    await rig.direct.call(MeasureRegistryService.method.delete, metadata(CACHE), CALL);
    rig.enqueue(3);
    await rig.expectAllStored();
    expect(rig.delivery().status().points.rejected).to.equal(0);
  });

  it("goes on with a field that another writer has added", async () => {
    rig.start();
    rig.enqueue(2);
    await rig.acknowledged();
    const { measure } = await rig.direct.call(MeasureRegistryService.method.get, metadata(CACHE), CALL);
    measure?.fields.push({ ...present(measure.fields[0]), name: "added_by_another" });
    await rig.direct.call(MeasureRegistryService.method.update, { measure: present(measure) }, CALL);
    rig.enqueue(2);
    await rig.expectAllStored();
  });

  it("stays up where a measure has other types, says what differs, and heals when it is gone", async () => {
    const wrong = wantedMeasure(rig.config.group, SCHEMA.group, CACHE);
    present(wrong.fields[0]).fieldType = FieldType.STRING;
    await rig.direct.call(GroupRegistryService.method.create, { group: wantedGroup(rig.config) }, CALL);
    await waitFor("the measure is created", async () => {
      try {
        await rig.direct.call(MeasureRegistryService.method.create, { measure: wrong }, CALL);
        return true;
      } catch {
        // The group may be too new.
        return false;
      }
    });
    rig.start({ timing: { conflictRetryMs: 300 } });
    rig.enqueue(3);
    await waitFor("the conflict is told", () => rig.delivery().status().schema.state === "conflict");
    expect(rig.delivery().status().schema.diff).to.deep.equal([
      "measure cache: field pages_hit is of type STRING, not INT",
    ]);
    expect(rig.delivery().status().trouble?.code).to.equal("SCHEMA_CONFLICT");
    expect(rig.delivery().status().points).to.include({ queued: 9, written: 0 });
    const { measure } = await rig.direct.call(MeasureRegistryService.method.get, metadata(CACHE), CALL);
    expect(measure?.fields.map(({ fieldType }) => fieldType)).to.deep.equal(
      wrong.fields.map(({ fieldType }) => fieldType),
    );
    await rig.direct.call(MeasureRegistryService.method.delete, metadata(CACHE), CALL);
    await rig.expectAllStored();
    expect(rig.delivery().status().schema).to.deep.equal({ state: "ready", diff: [] });
  });

  it("rejects a point that the server will never take, and delivers the others", async () => {
    rig.start();
    rig.enqueue(2);
    // Beyond what 64 bits of nanoseconds can say, so that no server stores it.
    rig.delivery().enqueue(tickAt(Number.MAX_SAFE_INTEGER, { hit: 1000, missed: 1000 }));
    rig.enqueue(2);
    await rig.expectAllStored();
    expect(rig.delivery().status().points).to.include({
      collected: 13,
      written: 12,
      rejected: 1,
      queued: 0,
      inFlight: 0,
    });
    expect(rig.delivery().totals().rejected["cache.pages_hit"]).to.equal(1000);
  });

  it("merges ticks when a tiny queue is full, and no count is lost", async () => {
    const bytes = 8 * tickBytes(tickAt(1, { hit: 1, missed: 1, reads: { data: 1, index: 1 } }));
    await reopen({ queue: { maxBytes: bytes } });
    await rig.proxy.set({ kind: "refuse" });
    rig.start();
    for (let i = 0; i < 100; i++) {
      rig.enqueue(1);
      expect(rig.delivery().status().queueBytes).to.be.at.most(bytes);
    }
    await rig.proxy.set({ kind: "open" });
    await rig.expectAllStored();
    const { collected, written, coalesced, dropped } = rig.delivery().status().points;
    expect({ collected, dropped, sum: written + coalesced }).to.deep.equal({
      collected: 300,
      dropped: 0,
      sum: 300,
    });
    const { sums } = await rig.stored(CACHE);
    expect(sums["interval_ms"]).to.equal(100 * STEP_MS);
  });

  it("says so when its queue is too small to protect what was acknowledged", async () => {
    const maxBytes = tickBytes(tickAt(1, { hit: 1, missed: 1, reads: { data: 1, index: 1 } }));
    await reopen({ queue: { maxBytes } });
    rig.start();
    for (let i = 0; i < 3; i++) {
      rig.enqueue(1);
      await rig.acknowledged();
    }
    await rig.expectAllStored();
    expect(rig.logged.some(({ message }) => message.includes("too small for the replay window"))).to.equal(
      true,
    );
  });

  describe("stop", () => {
    it("sends what is left and closes", async () => {
      rig.start();
      rig.enqueue(50);
      await rig.delivery().stop(10_000);
      expect(rig.delivery().status().points).to.include({
        collected: 150,
        written: 150,
        queued: 0,
        inFlight: 0,
      });
      expect(await rig.storedTruth()).to.deep.equal(rig.truth());
    });

    it("gives up at the deadline and says what is left", async () => {
      await rig.proxy.set({ kind: "refuse" });
      rig.start();
      rig.enqueue(50);
      const beforeMs = performance.now();
      await rig.delivery().stop(700);
      expect(performance.now() - beforeMs).to.be.within(650, 2000);
      expect(rig.delivery().status().points).to.include({
        collected: 150,
        written: 0,
        queued: 150,
        inFlight: 0,
      });
    });

    it("gives up at the deadline also in the middle of a stream", async () => {
      await rig.connect();
      await rig.proxy.set({ kind: "silent" });
      rig.enqueue(5);
      await rig.delivery().stop(500);
      expect(rig.delivery().status().points).to.include({
        collected: 18,
        written: 3,
        queued: 15,
        inFlight: 0,
      });
    });

    it("does not wait for a server when there is nothing to send", async () => {
      await rig.proxy.set({ kind: "refuse" });
      rig.start();
      const beforeMs = performance.now();
      await rig.delivery().stop(10_000);
      expect(performance.now() - beforeMs).to.be.below(500);
    });

    it("has nothing to do when all was sent", async () => {
      await rig.connect();
      const beforeMs = performance.now();
      await rig.delivery().stop(10_000);
      expect(performance.now() - beforeMs).to.be.below(500);
    });
  });

  it("logs no error objects and no password", async () => {
    await reopen({ banyandb: { username: "exporter", password: "s3cret-word" } });
    await rig.proxy.set({ kind: "refuse" });
    rig.start();
    rig.enqueue(1);
    await waitFor("something is rig.logged", () => rig.logged.length > 0);
    const text = JSON.stringify(rig.logged) + JSON.stringify(rig.delivery().status());
    expect(text).not.to.include("s3cret-word");
    expect(text).not.to.include("    at ");
    expect(text.length).to.be.below(5000);
  });
});
