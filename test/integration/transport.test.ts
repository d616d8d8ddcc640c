import { expect } from "chai";
import { createEncoder } from "../../src/banyandb/encode.js";
import { BanyanError } from "../../src/banyandb/errors.js";
import { judgeBatch } from "../../src/banyandb/outcome.js";
import { readBack } from "../../src/banyandb/read-back.js";
import type { RowMapping } from "../../src/banyandb/rows.js";
import { ensureSchema } from "../../src/banyandb/schema-ensure.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import { GroupRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.js";
import { CACHE, IDENTITY, SCHEMA, tickAt } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";
import { present } from "../support/present.js";

const CALL = { deadlineMs: 10_000 };

describe("transport", function () {
  this.timeout(60_000);

  let server: BanyandbServer;
  let proxy: FaultProxy;
  let transport: Transport;
  let mapping: RowMapping;
  let events: string[];
  let beganMs: number;
  const group = `transport_${process.pid}`;

  before(async () => {
    server = await startBanyandbServer();
  });
  after(async () => {
    await server.close();
  });
  beforeEach(async () => {
    events = [];
    beganMs = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
    proxy = await startFaultProxy(server.address);
    const options = { endpoints: [proxy.address], username: undefined, password: undefined };
    transport = openTransport(options, {
      onReady: () => events.push("ready"),
      onLost: () => events.push("lost"),
    });
    const config = { ...options, group, ttlDays: 7, segmentDays: 1, shards: 1 };
    const ensured = await ensureSchema({ transport, config, schema: SCHEMA }, IDENTITY);
    if (ensured.state !== "ready") throw new Error("the schema conflicts");
    mapping = present(ensured.mappings.get(CACHE));
    // A measure that was just created may be unknown for some milliseconds.
    await waitFor("a row is taken", async () => {
      const { replies } = await transport.writeBatch(rows(1, beganMs - 1_000_000), CALL);
      return replies[0]?.status === "STATUS_SUCCEED";
    });
  });
  afterEach(async () => {
    transport.close();
    await proxy.close();
  });

  function rows(count: number, fromMs = beganMs): Buffer[] {
    const encoder = createEncoder();
    return Array.from({ length: count }, (_, i) => {
      const tick = tickAt(fromMs + i, { hit: 1, missed: 0 });
      return encoder.row(mapping, tick, present(tick.samples[0]), i + 1);
    });
  }

  async function storedCount(): Promise<number> {
    const { rows: found, sums } = await readBack({
      transport,
      group,
      groupSpec: SCHEMA.group,
      measure: CACHE,
      identity: IDENTITY,
      fromMs: beganMs,
      toMs: beganMs + 100_000,
    });
    expect(sums["pages_hit"]).to.equal(found.length);
    return found.length;
  }

  it("brings back a reply for every message, and reads back more rows than one page holds", async () => {
    const { replies, status } = await transport.writeBatch(rows(2500), CALL);
    expect(status.code).to.equal("OK");
    expect(replies.map(({ messageId }) => messageId)).to.deep.equal(
      Array.from({ length: 2500 }, (_, i) => i + 1),
    );
    await waitFor("all rows are stored", async () => (await storedCount()) === 2500);
  });

  it("finds the culprit of a stream that an invalid message has ended", async () => {
    beganMs += 200_000;
    const messages = rows(5);
    messages[2] = Buffer.alloc(0);
    const { replies, status } = await transport.writeBatch(messages, CALL);
    expect(status.code).to.equal("INVALID_ARGUMENT");
    const { outcomes } = judgeBatch(5, replies, status);
    expect(outcomes.map(({ kind }) => kind)).to.deep.equal([
      "written",
      "written",
      "rejected",
      "kept",
      "kept",
    ]);
    await waitFor("the earlier rows are stored", async () => (await storedCount()) === 2);
  });

  it("ends at its deadline, even while it waits to write more", async () => {
    await proxy.set({ kind: "silent" });
    const { status } = await transport.writeBatch(rows(20_000), { deadlineMs: 500 });
    expect(status.code).to.equal("DEADLINE_EXCEEDED");
  });

  it("ends when it is told to", async () => {
    await proxy.set({ kind: "silent" });
    const stop = new AbortController();
    const result = transport.writeBatch(rows(10), { ...CALL, signal: stop.signal });
    stop.abort();
    expect((await result).status.code).to.equal("CANCELLED");
  });

  it("tells when the connection is ready and when it is lost, with no call under way", async () => {
    expect(events).to.deep.equal(["ready"]);
    proxy.reset();
    await waitFor("the loss is told", () => events.length > 1);
    expect(events).to.deep.equal(["ready", "lost"]);
  });

  for (const [name, stepMs] of [
    ["ahead", 3_600_000],
    ["back", -3_600_000],
  ] as const) {
    it(`keeps its deadline while the wall clock is set ${name}`, async () => {
      transport.close();
      await proxy.set({ kind: "silent" });
      transport = openTransport({ endpoints: [proxy.address], username: undefined, password: undefined });
      const realNow = Date.now;
      try {
        const answered = transport.call(GroupRegistryService.method.get, { group }, { deadlineMs: 5000 });
        const late = transport.writeBatch(rows(1), { deadlineMs: 300 });
        Date.now = () => realNow() + stepMs;
        const beganMs = performance.now();
        expect((await late).status.code).to.equal("DEADLINE_EXCEEDED");
        expect(performance.now() - beganMs).to.be.within(100, 2000);
        await proxy.set({ kind: "open" });
        expect((await answered).group?.metadata?.name).to.equal(group);
      } finally {
        Date.now = realNow;
      }
    });
  }

  it("names code, call and endpoint of what fails", async () => {
    await proxy.set({ kind: "refuse" });
    try {
      await transport.call(GroupRegistryService.method.get, { group }, CALL);
    } catch (error) {
      if (!(error instanceof BanyanError)) throw error;
      expect(error).to.include({
        name: "BanyanError",
        code: "UNAVAILABLE",
        operation: "Get",
        object: proxy.address,
      });
      return;
    }
    throw new Error("the call did not fail");
  });
});
