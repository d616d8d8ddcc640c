/** A sidecar's delivery in virtual time, ticking by the clock, with the laws checked after every event. */
import { expect } from "chai";
import { createDelivery, type Delivery, type DeliveryOptions } from "../../src/banyandb/delivery.js";
import { readBack, type StoredRows } from "../../src/banyandb/read-back.js";
import type { Log, LogFields } from "../../src/model/log.js";
import type { MeasureSpec } from "../../src/model/measure.js";
import { expectLaws } from "./laws.js";
import { createSimulatedBanyandb, type SimulatedBanyandb } from "./simulated-banyandb.js";
import { CACHE, IDENTITY, PART, SCHEMA, seededRandom, tickAt } from "./ticks.js";
import { createVirtualTime, type VirtualTime } from "./virtual-time.js";
import { plainConfig } from "./banyandb-config.js";

export interface SimulationOptions {
  readonly seed?: number;
  readonly intervalMs?: number;
  readonly maxBytes?: number;
  readonly maxAgeMs?: number;
  readonly audit?: boolean;
  readonly delivery?: Partial<DeliveryOptions>;
  /** Samples of the second measure in each tick. */
  readonly parts?: number;
  /** Several simulations may share time and server. */
  readonly world?: World;
  /** Position of the first tick within the interval, from [0, 1). */
  readonly phase?: number;
  /** Value of the first identity tag. */
  readonly node?: string;
  /** Off for crowds, where it would take most of the time. */
  readonly checked?: boolean;
}

export interface World {
  readonly time: VirtualTime;
  readonly server: SimulatedBanyandb;
}

export interface Simulation extends World {
  readonly delivery: Delivery;
  readonly random: () => number;
  /** What was enqueued, by `<measure>.<source>`. */
  readonly truth: Readonly<Record<string, number>>;
  ticks(): number;
  /** Log lines so far. */
  readonly lines: readonly { readonly cause: string; readonly atMs: number; readonly fields?: LogFields }[];
  /** Timestamp of a tick, as the rows have it; 0 is the first. */
  timestampOf(tick: number): number;
  pass(ms: number): Promise<void>;
  /** Lets time pass until it holds, at most `withinMs`; returns how long it took. */
  passUntil(condition: () => boolean, withinMs: number): Promise<number>;
  /** Ends the ticks; time still passes. */
  silence(): void;
  stored(measure: MeasureSpec): Promise<StoredRows>;
  /** By the names of `truth`. */
  storedSums(): Promise<Record<string, number>>;
  /** Nothing is left to send, and all that was enqueued is stored, once. */
  expectAllStored(): Promise<void>;
}

export function createWorld(seed: number): World {
  const time = createVirtualTime();
  return { time, server: createSimulatedBanyandb(time, seededRandom(seed + 1)) };
}

export function simulate(options: SimulationOptions = {}): Simulation {
  const { seed = 1, intervalMs = 10_000, maxBytes = 1e7, parts = 2, phase = 0, checked = true } = options;
  const { maxAgeMs = 7 * 86_400_000, audit = false } = options;
  const { time, server } = options.world ?? createWorld(seed);
  const random = seededRandom(seed);
  const truth: Record<string, number> = {};
  const lines: { cause: string; atMs: number; fields?: LogFields }[] = [];
  const identity = [options.node ?? "host-a:17912", ...IDENTITY.slice(1)];
  const firstMs = time.wallMs() + Math.floor(intervalMs * phase);
  let ticks = 0;
  let silent = false;

  const say = (cause: string, fields?: LogFields): void => {
    lines.push({ cause, atMs: time.nowMs(), ...(fields ? { fields } : {}) });
  };
  const log: Log = {
    debug: say,
    info: say,
    warn: say,
    error: say,
    throttled: (cause, _message, fields) => {
      say(cause, fields);
    },
  };
  const delivery = createDelivery({
    config: {
      banyandb: plainConfig("simulated:17912", "simulated"),
      queue: { maxBytes, maxAgeMs },
      delivery: { audit },
    },
    identity,
    schema: SCHEMA,
    log,
    random,
    clock: time.clock,
    startTimer: time.startTimer,
    open: server.open,
    ...options.delivery,
  });
  const add = (name: string, value: number): void => {
    truth[name] = (truth[name] ?? 0) + value;
  };
  const timestampOf = (tick: number): number => firstMs + tick * intervalMs;
  const tick = (): void => {
    if (silent) return;
    const reads: Record<string, number> = {};
    for (let part = 0; part < parts; part++) reads[`p${part}`] = Math.floor(random() * 1e6);
    const hit = Math.floor(random() * 1e9);
    add("cache.pages_hit", hit);
    add("cache.pages_missed", 1);
    for (const value of Object.values(reads)) add("part.reads", value);
    delivery.enqueue(tickAt(timestampOf(ticks++), { hit, missed: 1, reads }, intervalMs));
    time.startTimer(tick, intervalMs);
  };
  time.startTimer(tick, intervalMs * phase);

  const check = (): void => {
    if (checked) expectLaws(delivery);
  };
  const stored = (measure: MeasureSpec): Promise<StoredRows> =>
    readBack({
      transport: server.direct,
      group: "simulated",
      groupSpec: SCHEMA.group,
      measure,
      identity,
      fromMs: firstMs,
      toMs: timestampOf(ticks),
    });
  const storedSums = async (): Promise<Record<string, number>> => {
    const [cache, part] = [await stored(CACHE), await stored(PART)];
    return {
      "cache.pages_hit": cache.sums["pages_hit"] ?? 0,
      "cache.pages_missed": cache.sums["pages_missed"] ?? 0,
      ...(parts > 0 ? { "part.reads": part.sums["reads"] ?? 0 } : {}),
    };
  };

  return {
    time,
    server,
    delivery,
    random,
    truth,
    lines,
    ticks: () => ticks,
    timestampOf,
    pass: (ms) => time.pass(ms, check),
    async passUntil(condition, withinMs) {
      const beganMs = time.nowMs();
      while (!condition()) {
        const elapsedMs = time.nowMs() - beganMs;
        if (elapsedMs > withinMs)
          throw new Error(`not within ${withinMs} ms: ${JSON.stringify(delivery.status())}`);
        await time.pass(50, check);
      }
      return time.nowMs() - beganMs;
    },
    silence() {
      silent = true;
    },
    stored,
    storedSums,
    async expectAllStored() {
      // A tick may just have come.
      await time.pass(1000, check);
      const { queued, inFlight } = delivery.status().points;
      expect({ queued, inFlight }).to.deep.equal({ queued: 0, inFlight: 0 });
      expect(await storedSums()).to.deep.equal(truth);
    },
  };
}
