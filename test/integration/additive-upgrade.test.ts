/**
 * Sidecars of two releases write to the same group while the newer one adds to its schema: a field amid the others, and
 * a measure. The older one goes on without knowing either.
 */
import { create, fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { createDelivery, type Delivery } from "../../src/banyandb/delivery.js";
import { readBack, type StoredRows } from "../../src/banyandb/read-back.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import { MetadataSchema } from "../../src/gen/banyandb/common/v1/common_pb.js";
import { MeasureRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { WriteRequestSchema } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { parseMeasure, type MeasureSpec, type Schema } from "../../src/model/measure.js";
import { makeSample, tickVersion, type Sample } from "../../src/model/tick.js";
import { plainConfig } from "../support/banyandb-config.js";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { expectLaws } from "../support/laws.js";
import { SILENT } from "../support/silent-log.js";
import { CACHE, PART, SCHEMA } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";

/** CACHE as the older release has it: without pages_missed, which the newer one has in second place, and the ratio. */
const OLD_CACHE: MeasureSpec = parseMeasure("cache", {
  measure: "cache",
  description: "test",
  tags: [],
  fields: ["pages_hit", "interval_ms"].map((name) => ({
    name,
    type: "int",
    unit: "pages",
    merge: "sum",
    source: [name],
    description: name,
  })),
});
const OLD_SCHEMA: Schema = { ...SCHEMA, measures: [OLD_CACHE] };
const STEP_MS = 1000;
/** Ticks of each release, before and after the upgrade. */
const TICKS = 20;

interface Sidecar {
  readonly node: string;
  readonly delivery: Delivery;
  /** Revision of the measure in the last row of it that was sent. */
  readonly revision: () => bigint;
  tick(): Promise<void>;
}

describe("an additive upgrade of the schema while others write", function () {
  this.timeout(90_000);

  let server: BanyandbServer;
  let direct: Transport;
  let group: string;
  const beganMs = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
  const sidecars: Sidecar[] = [];
  let groups = 0;

  before(async () => {
    server = await startBanyandbServer();
    direct = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
  });
  after(async () => {
    direct.close();
    await server.close();
  });
  beforeEach(() => {
    group = `upgrade_${process.pid}_${groups++}`;
  });
  afterEach(() => {
    for (const { delivery } of sidecars.splice(0)) delivery.abort();
  });

  function start(node: string, schema: Schema, samplesOf: (n: number) => readonly Sample[]): Sidecar {
    let revision = 0n;
    let sent = 0;
    const delivery = createDelivery({
      config: {
        banyandb: plainConfig(server.address, group),
        queue: { maxBytes: 1e7, maxAgeMs: 7 * 86_400_000 },
        delivery: { audit: false },
      },
      identity: [node, "test"],
      schema,
      log: SILENT,
      timing: { paceMs: 20 },
      open: (...args) => {
        const transport = openTransport(...args);
        return {
          ...transport,
          writeBatch(messages, options) {
            for (const { metadata } of messages.map((bytes) => fromBinary(WriteRequestSchema, bytes)))
              if (metadata?.name === "cache") revision = metadata.modRevision;
            return transport.writeBatch(messages, options);
          },
        };
      },
    });
    const sidecar: Sidecar = {
      node,
      delivery,
      revision: () => revision,
      async tick() {
        const timestampMs = beganMs + ++sent * STEP_MS;
        const version = tickVersion(timestampMs, 0);
        delivery.enqueue({ timestampMs, version, intervalMs: STEP_MS, samples: samplesOf(sent) });
        expectLaws(delivery);
        await new Promise((resolve) => setTimeout(resolve, 20));
      },
    };
    sidecars.push(sidecar);
    return sidecar;
  }

  const startOld = (node: string): Sidecar =>
    start(node, OLD_SCHEMA, (n) => [makeSample(OLD_CACHE, [], () => n)]);
  const startNew = (node: string): Sidecar =>
    start(node, SCHEMA, (n) => [
      makeSample(CACHE, [], (source) => (source === "pages_hit" ? n : 3 * n)),
      makeSample(PART, ["data"], () => n),
    ]);

  async function tickAll(): Promise<void> {
    for (let i = 0; i < TICKS; i++) for (const sidecar of sidecars) await sidecar.tick();
  }

  /** Everything is taken, and nothing was given up. */
  async function expectTaken(): Promise<void> {
    for (const { delivery, node } of sidecars) {
      const points = () => delivery.status().points;
      await waitFor(`all of ${node} is written`, () => points().written === points().collected, 30_000);
      expect(points()).to.include({ rejected: 0, dropped: 0, coalesced: 0 });
      expect(delivery.status()).to.deep.include({ schema: { state: "ready", diff: [] } });
    }
  }

  async function serverRevision(): Promise<bigint> {
    const metadata = create(MetadataSchema, { group, name: "cache" });
    const { measure } = await direct.call(
      MeasureRegistryService.method.get,
      { metadata },
      { deadlineMs: 5000 },
    );
    return measure?.metadata?.modRevision ?? 0n;
  }

  function stored(node: string, measure: MeasureSpec): Promise<StoredRows> {
    return readBack({
      transport: direct,
      group,
      groupSpec: SCHEMA.group,
      measure,
      identity: [node],
      fromMs: beganMs,
      toMs: beganMs + 3_600_000,
    });
  }

  const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

  it("costs neither the older one nor the newer one a row, and both go on with the new revision", async () => {
    const old = startOld("old:17912");
    await tickAll();
    await expectTaken();
    const before = await serverRevision();
    expect(old.revision()).to.equal(before);
    const young = startNew("new:17912");
    await tickAll();
    await expectTaken();
    const after = await serverRevision();
    expect(after > before).to.equal(true);
    // The last of them may have gone before the upgrade.
    await tickAll();
    await expectTaken();
    expect([old.revision(), young.revision()]).to.deep.equal([after, after]);

    const oldRows = (await stored(old.node, CACHE)).rows.map(({ fields }) => fields);
    expect(oldRows).to.deep.equal(numbers(3 * TICKS).map((n) => ({ pages_hit: n, interval_ms: STEP_MS })));
    const newRows = (await stored(young.node, CACHE)).rows.map(({ fields }) => fields);
    expect(newRows).to.deep.equal(
      numbers(2 * TICKS).map((n) => ({
        pages_hit: n,
        pages_missed: 3 * n,
        hit_rate_percent: 25,
        interval_ms: STEP_MS,
      })),
    );
    const parts = (await stored(young.node, PART)).rows.map(({ fields }) => fields);
    expect(parts).to.deep.equal(numbers(2 * TICKS).map((n) => ({ reads: n, peak: n })));
  });

  it("may come from several newer ones at once, amid several older ones", async () => {
    for (let i = 0; i < 3; i++) startOld(`old-${i}:17912`);
    await tickAll();
    await expectTaken();
    for (let i = 0; i < 3; i++) startNew(`new-${i}:17912`);
    await tickAll();
    await expectTaken();
    for (const { node } of sidecars) {
      const ticks = node.startsWith("old") ? 2 * TICKS : TICKS;
      const { sums, rows } = await stored(node, CACHE);
      expect(rows, node).to.have.length(ticks);
      expect(sums["pages_hit"], node).to.equal((ticks * (ticks + 1)) / 2);
      expect(sums["pages_missed"], node).to.equal(node.startsWith("old") ? 0 : 3 * (sums["pages_hit"] ?? 0));
    }
  });
});
