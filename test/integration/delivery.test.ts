/**
 * Delivery against a BanyanDB, through a way that breaks: whatever happens, what is stored, as the server's query
 * tells it, is what was enqueued, for every source. Acknowledgements prove nothing here.
 */
import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { setTimeout as sleep } from "node:timers/promises";
import { createDelivery, type Delivery, type DeliveryOptions } from "../../src/banyandb/delivery.js";
import { readBack, type StoredRow } from "../../src/banyandb/read-back.js";
import { wantedGroup, wantedMeasure } from "../../src/banyandb/schema-wanted.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import type { BanyandbConfig } from "../../src/config/config.js";
import {
  FieldType,
  GroupRegistryService,
  MeasureRegistryService,
} from "../../src/gen/banyandb/database/v1/database_pb.js";
import { MetadataSchema } from "../../src/gen/banyandb/common/v1/common_pb.js";
import type { Log, LogFields } from "../../src/model/log.js";
import type { MeasureSpec } from "../../src/model/measure.js";
import { tickBytes, type Tick } from "../../src/model/tick.js";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.js";
import { CACHE, IDENTITY, PART, SCHEMA, seededRandom, tickAt } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";
import { present } from "../support/present.js";

const CALL = { deadlineMs: 5000 };
const STEP_MS = 1000;

/** What was enqueued, by measure and source. */
interface Truth {
  hit: number;
  missed: number;
  reads: number;
}

describe("delivery", function () {
  this.timeout(90_000);

  let server: BanyandbServer;
  let proxy: FaultProxy;
  let direct: Transport;
  let delivery: Delivery | undefined;
  let config: BanyandbConfig;
  let truth: Truth;
  let sent: number;
  let beganMs: number;
  let logged: { level: string; message: string; fields: LogFields | undefined }[];
  let groups = 0;

  before(async () => {
    server = await startBanyandbServer();
  });
  after(async () => {
    await server.close();
  });

  beforeEach(async () => {
    proxy = await startFaultProxy(server.address);
    config = {
      endpoints: [proxy.address],
      group: `delivery_${process.pid}_${groups++}`,
      ttlDays: 7,
      segmentDays: 1,
      shards: 1,
      username: undefined,
      password: undefined,
    };
    direct = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
    truth = { hit: 0, missed: 0, reads: 0 };
    sent = 0;
    logged = [];
    beganMs = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
  });
  afterEach(async () => {
    delivery?.abort();
    delivery = undefined;
    direct.close();
    await proxy.close();
  });

  function start(options: Partial<DeliveryOptions> = {}, maxBytes = 1e7): Delivery {
    const line =
      (level: string) =>
      (message: string, fields?: LogFields): void => {
        logged.push({ level, message, fields });
      };
    const log: Log = {
      debug: line("debug"),
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
      throttled: (_cause, message, fields) => {
        line("throttled")(message, fields);
      },
    };
    delivery = createDelivery({
      config: { banyandb: config, queue: { maxBytes, maxAgeMs: 7 * 86_400_000 }, delivery: { audit: false } },
      identity: IDENTITY,
      schema: SCHEMA,
      log,
      random: seededRandom(7),
      ...options,
      timing: { paceMs: 50, ...options.timing },
    });
    return delivery;
  }

  function nextTick(): Tick {
    const n = ++sent;
    const reads = { data: n * 2, index: n * 3 };
    truth.hit += n;
    truth.missed += 1;
    truth.reads += reads.data + reads.index;
    return tickAt(beganMs + n * STEP_MS, { hit: n, missed: 1, reads }, STEP_MS);
  }

  function enqueue(count: number): void {
    for (let i = 0; i < count; i++) delivery?.enqueue(nextTick());
  }

  async function stored(measure: MeasureSpec): Promise<Awaited<ReturnType<typeof readBack>>> {
    return readBack({
      transport: direct,
      group: config.group,
      groupSpec: SCHEMA.group,
      measure,
      identity: IDENTITY,
      fromMs: beganMs,
      toMs: beganMs + 3_600_000,
    });
  }

  async function storedTruth(): Promise<Truth> {
    const [cache, part] = [await stored(CACHE), await stored(PART)];
    return {
      hit: cache.sums["pages_hit"] ?? 0,
      missed: cache.sums["pages_missed"] ?? 0,
      reads: part.sums["reads"] ?? 0,
    };
  }

  async function expectAllStored(withinMs = 40_000): Promise<void> {
    let last: unknown;
    try {
      await waitFor(
        "everything that was enqueued is stored",
        async () => {
          try {
            last = await storedTruth();
            expect(last).to.deep.equal(truth);
            return true;
          } catch (error) {
            // Not there yet, or the server itself is not.
            last = error;
            return false;
          }
        },
        withinMs,
      );
    } catch (error) {
      const status = JSON.stringify(delivery?.status());
      throw new Error(`${String(error)}: ${String(last)}\n${status}`, { cause: error });
    }
    await waitFor("nothing is left to send", () => {
      const points = delivery?.status().points;
      return points?.queued === 0 && points.inFlight === 0;
    });
    expect(await storedTruth()).to.deep.equal(truth);
  }

  async function acknowledged(): Promise<void> {
    await waitFor("all points are acknowledged", () => {
      const points = delivery?.status().points;
      return points !== undefined && points.queued + points.inFlight === 0;
    });
  }

  function metadata(measure: MeasureSpec): { metadata: ReturnType<typeof create<typeof MetadataSchema>> } {
    return { metadata: create(MetadataSchema, { group: config.group, name: measure.name }) };
  }

  function controls(): NonNullable<BanyandbServer["controls"]> {
    if (!server.controls) throw new Error("this test needs a server that it may stop");
    return server.controls;
  }

  it("makes the schema and stores every field of every row", async () => {
    start();
    enqueue(5);
    await expectAllStored();
    const { rows } = await stored(CACHE);
    expect(rows).to.have.length(5);
    const [first] = rows as [StoredRow];
    expect(first.timestampMs).to.equal(beganMs + STEP_MS);
    expect(first.tags).to.deep.equal({ node_id: "host-a:17912", cluster: "test" });
    expect(first.fields).to.deep.equal({
      pages_hit: 1,
      pages_missed: 1,
      hit_rate_percent: 50,
      interval_ms: STEP_MS,
    });
    const status = delivery?.status();
    expect(status?.points).to.include({
      collected: 15,
      written: 15,
      queued: 0,
      inFlight: 0,
      rejected: 0,
      dropped: 0,
    });
    expect(status?.schema).to.deep.equal({ state: "ready", diff: [] });
    expect([status?.sink.version, status?.trouble]).to.deep.equal([server.version, undefined]);
  });

  it("waits for a server that is not there at first", async () => {
    await proxy.set({ kind: "refuse" });
    start();
    enqueue(20);
    await waitFor("the trouble is told", () => delivery?.status().trouble?.code === "UNAVAILABLE");
    await sleep(1500);
    expect(delivery?.status().points).to.include({ collected: 60, written: 0, queued: 60 });
    await proxy.set({ kind: "open" });
    await expectAllStored();
    expect(delivery?.status().trouble).to.equal(undefined);
  });

  it("keeps everything while connections are refused, and catches up", async () => {
    start();
    enqueue(3);
    await acknowledged();
    await proxy.set({ kind: "refuse" });
    for (let i = 0; i < 10; i++) {
      enqueue(1);
      await sleep(100);
    }
    await proxy.set({ kind: "open" });
    enqueue(1);
    await expectAllStored();
  });

  it("goes on to the next endpoint when one does not answer", async () => {
    const dead = await startFaultProxy(server.address);
    await dead.close();
    config = { ...config, endpoints: [dead.address, proxy.address] };
    start();
    enqueue(3);
    await expectAllStored();
    expect(delivery?.status().sink.address).to.equal(proxy.address);
    await proxy.set({ kind: "refuse" });
    enqueue(3);
    await sleep(1000);
    await proxy.set({ kind: "open" });
    await expectAllStored();
  });

  it("survives a way on which nothing moves", async () => {
    start({ timing: { attemptDeadlineMs: 800 } });
    enqueue(3);
    await acknowledged();
    await proxy.set({ kind: "silent" });
    enqueue(5);
    await waitFor("a deadline is missed", () => (delivery?.status().streams["DEADLINE_EXCEEDED"] ?? 0) > 0);
    enqueue(5);
    await proxy.set({ kind: "open" });
    await expectAllStored();
  });

  it("takes ticks at once however slow the server is, and delivers them", async () => {
    start();
    await proxy.set({ kind: "slow", delayMs: 100 });
    const beforeMs = performance.now();
    enqueue(50);
    expect(performance.now() - beforeMs).to.be.below(90);
    await expectAllStored();
  });

  for (const share of [0.3, 0.7, 0.99]) {
    it(`loses and doubles nothing when the connection breaks after ${share * 100} % of a batch`, async () => {
      start();
      enqueue(1);
      await acknowledged();
      // 300 ticks of 3 rows, each of at least 120 bytes.
      proxy.resetAfterRequestBytes(300 * 3 * 120 * share);
      enqueue(300);
      await expectAllStored();
      expect(proxy.connections()).to.be.above(1);
    });
  }

  it("loses and doubles nothing when the connection breaks among the replies", async () => {
    start();
    enqueue(1);
    await acknowledged();
    proxy.resetAfterReplyBytes(5000);
    enqueue(300);
    await expectAllStored();
    expect(proxy.connections()).to.be.above(1);
  });

  it("loses and doubles nothing over many broken connections", async () => {
    const random = seededRandom(11);
    start({ timing: { attemptDeadlineMs: 2000 } });
    for (let i = 0; i < 40; i++) {
      enqueue(1 + Math.floor(random() * 20));
      if (random() < 0.3) proxy.resetAfterRequestBytes(Math.floor(random() * 20_000));
      if (random() < 0.3) proxy.resetAfterReplyBytes(Math.floor(random() * 5000));
      if (random() < 0.1) proxy.reset();
      await sleep(100 * random());
    }
    proxy.resetAfterRequestBytes(Number.POSITIVE_INFINITY);
    proxy.resetAfterReplyBytes(Number.POSITIVE_INFINITY);
    await expectAllStored();
  });

  it("sends again what a killed server had acknowledged and forgot", async () => {
    start();
    enqueue(10);
    await acknowledged();
    await controls().kill();
    enqueue(5);
    await sleep(500);
    await controls().restart();
    await expectAllStored();
    expect(delivery?.status().points).to.include({ collected: 45, written: 45 });
    expect(delivery?.status().points.resent).to.be.at.least(30);
  });

  it("sends again what a server forgot that was stopped gracefully right after its acknowledgement", async () => {
    start();
    enqueue(10);
    await acknowledged();
    await controls().stop();
    await controls().restart();
    await expectAllStored();
    expect(delivery?.status().points.resent).to.be.at.least(30);
  });

  it("loses nothing when the server is killed in the middle of a batch", async () => {
    start();
    enqueue(1);
    await acknowledged();
    await proxy.set({ kind: "slow", delayMs: 50 });
    enqueue(300);
    await sleep(120);
    await controls().kill();
    await proxy.set({ kind: "open" });
    await controls().restart();
    await expectAllStored();
  });

  it("makes the schema again when it was deleted while running", async () => {
    start();
    enqueue(3);
    await acknowledged();
    await direct.call(MeasureRegistryService.method.delete, metadata(CACHE), CALL);
    enqueue(3);
    await expectAllStored();
    expect(delivery?.status().points.rejected).to.equal(0);
  });

  it("goes on with a field that another writer has added", async () => {
    start();
    enqueue(2);
    await acknowledged();
    const { measure } = await direct.call(MeasureRegistryService.method.get, metadata(CACHE), CALL);
    measure?.fields.push({ ...present(measure.fields[0]), name: "added_by_another" });
    await direct.call(MeasureRegistryService.method.update, { measure: present(measure) }, CALL);
    enqueue(2);
    await expectAllStored();
  });

  it("stays up where a measure has other types, says what differs, and heals when it is gone", async () => {
    const wrong = wantedMeasure(config.group, SCHEMA.group, CACHE);
    present(wrong.fields[0]).fieldType = FieldType.STRING;
    await direct.call(GroupRegistryService.method.create, { group: wantedGroup(config) }, CALL);
    await waitFor("the measure is created", async () => {
      try {
        await direct.call(MeasureRegistryService.method.create, { measure: wrong }, CALL);
        return true;
      } catch {
        // The group may be too new.
        return false;
      }
    });
    start({ timing: { conflictRetryMs: 300 } });
    enqueue(3);
    await waitFor("the conflict is told", () => delivery?.status().schema.state === "conflict");
    expect(delivery?.status().schema.diff).to.deep.equal([
      "measure cache: field pages_hit is of type STRING, not INT",
    ]);
    expect(delivery?.status().trouble?.code).to.equal("SCHEMA_CONFLICT");
    expect(delivery?.status().points).to.include({ queued: 9, written: 0 });
    const { measure } = await direct.call(MeasureRegistryService.method.get, metadata(CACHE), CALL);
    expect(measure?.fields.map(({ fieldType }) => fieldType)).to.deep.equal(
      wrong.fields.map(({ fieldType }) => fieldType),
    );
    await direct.call(MeasureRegistryService.method.delete, metadata(CACHE), CALL);
    await expectAllStored();
    expect(delivery?.status().schema).to.deep.equal({ state: "ready", diff: [] });
  });

  it("rejects a point that the server will never take, and delivers the others", async () => {
    start();
    enqueue(2);
    // Beyond what 64 bits of nanoseconds can say, so that no server stores it.
    delivery?.enqueue(tickAt(Number.MAX_SAFE_INTEGER, { hit: 1000, missed: 1000 }));
    enqueue(2);
    await expectAllStored();
    expect(delivery?.status().points).to.include({
      collected: 13,
      written: 12,
      rejected: 1,
      queued: 0,
      inFlight: 0,
    });
    expect(delivery?.totals().rejected["cache.pages_hit"]).to.equal(1000);
  });

  it("merges ticks when a tiny queue is full, and no count is lost", async () => {
    await proxy.set({ kind: "refuse" });
    const bytes = 8 * tickBytes(tickAt(1, { hit: 1, missed: 1, reads: { data: 1, index: 1 } }));
    start({}, bytes);
    for (let i = 0; i < 100; i++) {
      enqueue(1);
      expect(delivery?.status().queueBytes).to.be.at.most(bytes);
    }
    await proxy.set({ kind: "open" });
    await expectAllStored();
    const { collected, written, coalesced, dropped } = present(delivery).status().points;
    expect({ collected, dropped, sum: written + coalesced }).to.deep.equal({
      collected: 300,
      dropped: 0,
      sum: 300,
    });
    const { sums } = await stored(CACHE);
    expect(sums["interval_ms"]).to.equal(100 * STEP_MS);
  });

  it("says so when its queue is too small to protect what was acknowledged", async () => {
    start({}, tickBytes(tickAt(1, { hit: 1, missed: 1, reads: { data: 1, index: 1 } })));
    for (let i = 0; i < 3; i++) {
      enqueue(1);
      await acknowledged();
    }
    await expectAllStored();
    expect(logged.some(({ message }) => message.includes("too small for the replay window"))).to.equal(true);
  });

  describe("stop", () => {
    it("sends what is left and closes", async () => {
      start();
      enqueue(50);
      await delivery?.stop(10_000);
      expect(delivery?.status().points).to.include({ collected: 150, written: 150, queued: 0, inFlight: 0 });
      expect(await storedTruth()).to.deep.equal(truth);
    });

    it("gives up at the deadline and says what is left", async () => {
      await proxy.set({ kind: "refuse" });
      start();
      enqueue(50);
      const beforeMs = performance.now();
      await delivery?.stop(700);
      expect(performance.now() - beforeMs).to.be.within(650, 2000);
      expect(delivery?.status().points).to.include({ collected: 150, written: 0, queued: 150, inFlight: 0 });
    });

    it("gives up at the deadline also in the middle of a stream", async () => {
      start();
      enqueue(1);
      await acknowledged();
      await proxy.set({ kind: "silent" });
      enqueue(5);
      await delivery?.stop(500);
      expect(delivery?.status().points).to.include({ collected: 18, written: 3, queued: 15, inFlight: 0 });
    });

    it("does not wait for a server when there is nothing to send", async () => {
      await proxy.set({ kind: "refuse" });
      start();
      const beforeMs = performance.now();
      await delivery?.stop(10_000);
      expect(performance.now() - beforeMs).to.be.below(500);
    });

    it("has nothing to do when all was sent", async () => {
      start();
      enqueue(1);
      await acknowledged();
      const beforeMs = performance.now();
      await delivery?.stop(10_000);
      expect(performance.now() - beforeMs).to.be.below(500);
    });
  });

  it("logs no error objects and no password", async () => {
    config = { ...config, username: "exporter", password: "s3cret-word" };
    await proxy.set({ kind: "refuse" });
    start();
    enqueue(1);
    await waitFor("something is logged", () => logged.length > 0);
    const text = JSON.stringify(logged) + JSON.stringify(delivery?.status());
    expect(text).not.to.include("s3cret-word");
    expect(text).not.to.include("    at ");
    expect(text.length).to.be.below(5000);
  });
});
