/** A delivery, the server that it writes to, and a way between them that breaks; and what must be stored. */
import { expect } from "chai";
import { createDelivery, type Delivery, type DeliveryOptions } from "../../src/banyandb/delivery.js";
import { readBack, type StoredRows } from "../../src/banyandb/read-back.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import type { BanyandbConfig, DeliveryConfig, QueueConfig } from "../../src/config/config.js";
import type { Log, LogFields } from "../../src/model/log.js";
import type { MeasureSpec } from "../../src/model/measure.js";
import type { Tick } from "../../src/model/tick.js";
import { plainConfig } from "./banyandb-config.js";
import { startFaultProxy, type FaultProxy } from "./fault-proxy.js";
import { expectLaws } from "./laws.js";
import { present } from "./present.js";
import { CACHE, IDENTITY, PART, SCHEMA, seededRandom, tickAt } from "./ticks.js";
import { waitFor } from "./wait.js";

/** What was enqueued, by measure and source. */
export interface Truth {
  readonly hit: number;
  readonly missed: number;
  readonly reads: number;
}

export interface RigOptions {
  /** host:port of the server. */
  readonly address: string;
  readonly banyandb?: Partial<BanyandbConfig>;
  readonly queue?: Partial<QueueConfig>;
  readonly delivery?: Partial<DeliveryConfig>;
  /** Starts the way to the server, elsewhere than in this process. */
  readonly startProxy?: (target: string) => Promise<FaultProxy>;
  /** Time between two ticks, as their timestamps say it; a second, if absent. */
  readonly stepMs?: number;
  /** Before the first tick; an hour ago, if absent. */
  readonly beganMs?: number;
}

export interface Rig {
  readonly proxy: FaultProxy;
  /** Past the proxy. */
  readonly direct: Transport;
  readonly config: BanyandbConfig;
  /** Before the first tick, which comes `stepMs` later. */
  readonly beganMs: number;
  /** The last lines of the log. */
  readonly logged: readonly { readonly message: string; readonly fields: LogFields | undefined }[];
  start(options?: Partial<DeliveryOptions>): Delivery;
  /** Starts, and resolves when a first tick is acknowledged. */
  connect(options?: Partial<DeliveryOptions>): Promise<Delivery>;
  readonly delivery: () => Delivery;
  truth(): Truth;
  /** The next tick, already part of the truth. */
  nextTick(): Tick;
  enqueue(count: number): void;
  stored(measure: MeasureSpec): Promise<StoredRows>;
  storedTruth(): Promise<Truth>;
  /** Every point is acknowledged. */
  acknowledged(withinMs?: number): Promise<void>;
  /** All that was enqueued is stored, as a query says it, and nothing is left to send. */
  expectAllStored(withinMs?: number): Promise<void>;
  close(): Promise<void>;
}

const STEP_MS = 1000;
/** Lines that are kept: a soak has thousands. */
const LOGGED_MAX = 1000;
const DAY_MS = 86_400_000;
let groups = 0;

export async function openRig(options: RigOptions): Promise<Rig> {
  const { startProxy = startFaultProxy } = options;
  const proxy = await startProxy(options.address);
  const direct = openTransport({ endpoints: [options.address], username: undefined, password: undefined });
  const config: BanyandbConfig = {
    ...plainConfig(proxy.address, `faults_${process.pid}_${groups++}`),
    ...options.banyandb,
  };
  const { stepMs = STEP_MS } = options;
  const beganMs = Math.floor((options.beganMs ?? Date.now() - 3_600_000) / 1000) * 1000;
  const logged: { message: string; fields: LogFields | undefined }[] = [];
  const line = (message: string, fields?: LogFields): void => {
    logged.push({ message, fields });
    if (logged.length > LOGGED_MAX) logged.shift();
  };
  const log: Log = {
    debug: line,
    info: line,
    warn: line,
    error: line,
    throttled: (_cause, message, fields) => {
      line(message, fields);
    },
  };
  let delivery: Delivery | undefined;
  let truth = { hit: 0, missed: 0, reads: 0 };
  let sent = 0;

  const stored = (measure: MeasureSpec): Promise<StoredRows> =>
    readBack({
      transport: direct,
      group: config.group,
      groupSpec: SCHEMA.group,
      measure,
      identity: IDENTITY,
      fromMs: beganMs,
      toMs: beganMs + (sent + 1) * stepMs,
    });

  const rig: Rig = {
    proxy,
    direct,
    config,
    beganMs,
    logged,
    delivery: () => present(delivery),
    start(changes = {}) {
      delivery = createDelivery({
        config: {
          banyandb: config,
          queue: { maxBytes: 1e7, maxAgeMs: 7 * DAY_MS, ...options.queue },
          delivery: { audit: false, ...options.delivery },
        },
        identity: IDENTITY,
        schema: SCHEMA,
        log,
        random: seededRandom(7),
        ...changes,
        timing: { paceMs: 50, ...changes.timing },
      });
      return delivery;
    },
    async connect(changes) {
      const started = rig.start(changes);
      rig.enqueue(1);
      await rig.acknowledged();
      return started;
    },
    truth: () => truth,
    nextTick() {
      const n = ++sent;
      const reads = { data: n * 2, index: n * 3 };
      truth = {
        hit: truth.hit + n,
        missed: truth.missed + 1,
        reads: truth.reads + reads.data + reads.index,
      };
      return tickAt(beganMs + n * stepMs, { hit: n, missed: 1, reads }, stepMs);
    },
    enqueue(count) {
      for (let i = 0; i < count; i++) present(delivery).enqueue(rig.nextTick());
    },
    stored,
    async storedTruth() {
      const [cache, part] = [await stored(CACHE), await stored(PART)];
      return {
        hit: cache.sums["pages_hit"] ?? 0,
        missed: cache.sums["pages_missed"] ?? 0,
        reads: part.sums["reads"] ?? 0,
      };
    },
    acknowledged: (withinMs) =>
      waitFor(
        "all points are acknowledged",
        () => {
          expectLaws(present(delivery));
          const { queued, inFlight } = present(delivery).status().points;
          return queued + inFlight === 0;
        },
        withinMs,
      ),
    async expectAllStored(withinMs = 40_000) {
      let last: unknown;
      const isStored = async (): Promise<boolean> => {
        expectLaws(present(delivery));
        try {
          last = await rig.storedTruth();
        } catch (error) {
          // The server itself may not be there yet.
          last = error;
          return false;
        }
        return JSON.stringify(last) === JSON.stringify(truth);
      };
      try {
        await waitFor("everything that was enqueued is stored", isStored, withinMs);
      } catch (error) {
        const state = JSON.stringify({ truth, last, status: delivery?.status() });
        throw new Error(`${String(error)}: ${state}`, { cause: error });
      }
      await rig.acknowledged();
      expect(await rig.storedTruth()).to.deep.equal(truth);
    },
    async close() {
      delivery?.abort();
      direct.close();
      await proxy.close();
    },
  };
  return rig;
}
