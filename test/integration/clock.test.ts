/**
 * Delivery with a wall clock that is wrong. A server drops live rows at a timestamp beyond the TTL; whatever the
 * clock does, it must keep what it has, never see the future, and have every count in the end.
 */
import { expect } from "chai";
import { createDelivery, type Delivery } from "../../src/banyandb/delivery.js";
import { BanyanError } from "../../src/banyandb/errors.js";
import { readBack, type StoredRow } from "../../src/banyandb/read-back.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import type { BanyandbConfig } from "../../src/config/config.js";
import { tickClock, type ClockReading, type TickClock } from "../../src/model/clock.js";
import type { Log, LogFields } from "../../src/model/log.js";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { CACHE, IDENTITY, SCHEMA, tickAt } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";
import { plainConfig } from "../support/banyandb-config.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TICK_MS = 10_000;
/** Above the difference between the clocks of this test, which are the same. */
const FUTURE_MS = 5000;

describe("delivery with a wrong clock", function () {
  this.timeout(60_000);

  let server: BanyandbServer;
  let reader: Transport;
  let config: BanyandbConfig;
  let logged: { message: string; fields: LogFields | undefined }[];
  let delivery: Delivery | undefined;
  let timeline: TickClock;
  /** How wrong the wall clock is. */
  let wrongMs: number;
  let sent: number;
  let groups = 0;

  before(async () => {
    server = await startBanyandbServer();
    reader = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
  });
  after(async () => {
    reader.close();
    await server.close();
  });
  beforeEach(() => {
    config = plainConfig(server.address, `clock_${process.pid}_${groups++}`);
    [logged, wrongMs, sent] = [[], 0, 0];
  });
  afterEach(() => {
    delivery?.abort();
    delivery = undefined;
  });

  function clock(): ClockReading {
    return { wallMs: Date.now() + wrongMs, monotonicMs: performance.now() };
  }

  function start(): void {
    const note = (message: string, fields?: LogFields): void => {
      logged.push({ message, fields });
    };
    const log: Log = {
      debug: () => undefined,
      info: note,
      warn: note,
      error: note,
      throttled: (_cause, message, fields) => {
        note(message, fields);
      },
    };
    timeline = tickClock(clock());
    delivery = createDelivery({
      config: {
        banyandb: config,
        queue: { maxBytes: 1e7, maxAgeMs: 7 * 86_400_000 },
        delivery: { audit: false },
      },
      identity: IDENTITY,
      schema: SCHEMA,
      log,
      clock,
      timeline,
      timing: { paceMs: 20, clockRetryMs: 60_000 },
    });
  }

  /** Ticks of a real millisecond at least. */
  async function tick(count = 1): Promise<void> {
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const { timestampMs, intervalMs } = timeline.next(clock());
      sent++;
      delivery?.enqueue(tickAt(timestampMs, { hit: 1, missed: 0 }, intervalMs));
    }
  }

  async function stored(): Promise<readonly StoredRow[]> {
    const range = { fromMs: Date.now() - 2 * DAY_MS, toMs: Date.now() + 40 * DAY_MS };
    const { rows } = await readBack({
      transport: reader,
      group: config.group,
      groupSpec: SCHEMA.group,
      measure: CACHE,
      identity: IDENTITY,
      ...range,
    });
    return rows;
  }

  /** As long as the schema is not there. */
  function storedOrNone(): Promise<readonly StoredRow[]> {
    return stored().catch((error: unknown) => {
      if (error instanceof BanyanError) return [];
      throw error;
    });
  }

  async function expectAllStored(): Promise<void> {
    const sum = (rows: readonly StoredRow[]): number =>
      rows.reduce((total, { fields }) => total + (fields["pages_hit"] ?? 0), 0);
    await waitFor("every count is stored", async () => sum(await storedOrNone()) === sent, 20_000);
    await expectNoFuture();
  }

  async function expectNoFuture(): Promise<void> {
    for (const { timestampMs } of await stored()) expect(timestampMs).to.be.below(Date.now() + FUTURE_MS);
  }

  async function held(): Promise<void> {
    await waitFor("ticks are held", () => delivery?.status().clock.state === "held");
  }

  /** A life before, which leaves live rows. */
  async function liveBefore(): Promise<void> {
    start();
    await tick(3);
    await expectAllStored();
    await delivery?.stop(1000);
    logged = [];
  }

  it("F13: holds a clock that is 30 days ahead from the start, and delivers once it is mended", async () => {
    await liveBefore();
    wrongMs = 30 * DAY_MS;
    start();
    await tick(3);
    await held();
    const status = delivery?.status();
    expect(status?.clock.reason).to.match(/^the wall clock is 30 d ahead of that of BanyanDB$/);
    expect(status?.trouble).to.equal(undefined);
    expect(status?.points).to.include({ queued: 3, written: 0 });
    expect(await stored()).to.have.length(3);
    wrongMs = 0;
    await tick();
    await expectAllStored();
    expect(await stored()).to.have.length(7);
    expect(logged.map(({ message }) => message)).to.include.members([
      "nothing is written until the wall clock is right",
      "the wall clock is right again",
    ]);
  });

  it("holds it also where the group is empty, and where it never gets right nothing is written", async () => {
    wrongMs = 30 * DAY_MS;
    start();
    await tick(3);
    await held();
    await delivery?.stop(300);
    expect(delivery?.status().points).to.include({ queued: 3, written: 0 });
    expect(await stored()).to.deep.equal([]);
  });

  for (const [name, stepMs] of [
    ["1 hour ahead", HOUR_MS],
    ["1 hour back", -HOUR_MS],
    ["30 days ahead", 30 * DAY_MS],
    ["30 days back", -30 * DAY_MS],
  ] as const) {
    it(`F13: loses nothing when the clock is set ${name} and back again`, async () => {
      start();
      await tick(3);
      await expectAllStored();
      wrongMs = stepMs;
      await tick(3);
      await held();
      expect(await stored()).to.have.length(3);
      wrongMs = 0;
      await tick();
      await expectAllStored();
      const rows = await stored();
      expect(rows).to.have.length(7);
      expect(rows.reduce((sum, { fields }) => sum + (fields["interval_ms"] ?? 0), 0)).to.be.below(TICK_MS);
    });
  }

  it("F13: follows a clock that is set right, forwards", async () => {
    wrongMs = -50 * 60_000;
    start();
    await tick(3);
    await expectAllStored();
    wrongMs = 0;
    const mendedMs = Date.now();
    await tick(3);
    await expectAllStored();
    const rows = await stored();
    expect(rows).to.have.length(6);
    expect(rows[3]?.timestampMs).to.be.within(mendedMs - 1000, mendedMs + 1000);
  });

  it("F13: waits, when it is set right backwards, until the time of what was written has passed", async () => {
    wrongMs = 20 * 60_000;
    start();
    await tick(3);
    await waitFor("the first are written", async () => (await storedOrNone()).length === 3);
    wrongMs = 0;
    await tick(3);
    await held();
    expect(delivery?.status().clock.reason).to.match(
      /^rows of this node are stored for the next 20 min already$/,
    );
    expect(await stored()).to.have.length(3);
  });
});
