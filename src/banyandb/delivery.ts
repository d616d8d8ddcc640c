/**
 * Delivery of ticks: takes them at once and for good, and sends them when BanyanDB lets it. Joins queue, gate,
 * schema and transport; all that decides is in those.
 */
import PQueue from "p-queue";
import pRetry from "p-retry";
import type { BanyandbConfig, DeliveryConfig, QueueConfig } from "../config/config.js";
import type { ClockReading } from "../model/clock.js";
import type { Log } from "../model/log.js";
import type { Schema } from "../model/measure.js";
import type { DeliveryStatus } from "../model/status.js";
import type { Tick } from "../model/tick.js";
import { createAlarm } from "./alarm.js";
import { createAttempt } from "./attempt.js";
import { createAudit } from "./audit.js";
import { BanyanError } from "./errors.js";
import { createGate } from "./gate.js";
import { callFailure, type Failure } from "./outcome.js";
import { createTickQueue, type QueueSums } from "./queue.js";
import { createSchemaKeeper } from "./schema-keeper.js";
import { startSystemTimer, type StartTimer } from "./timers.js";
import { openTransport } from "./transport.js";
import { createWatchdog } from "./watchdog.js";

export interface DeliveryOptions {
  readonly config: {
    readonly banyandb: BanyandbConfig;
    readonly queue: QueueConfig;
    readonly delivery: DeliveryConfig;
  };
  /** Values of the group's identity tags, in their order. */
  readonly identity: readonly string[];
  readonly schema: Schema;
  readonly log: Log;
  /** The system's clocks, if absent. */
  readonly clock?: () => ClockReading;
  /** Math.random, if absent. */
  readonly random?: () => number;
  /** Those of Node, if absent. */
  readonly startTimer?: StartTimer;
  /** The network, if absent. */
  readonly open?: typeof openTransport;
  /** For tests that cannot wait. */
  readonly timing?: Partial<Timing>;
}

export interface Timing {
  /** Of one stream; the connection included. */
  readonly attemptDeadlineMs: number;
  /** How long an acknowledged tick may yet be forgotten by the server. */
  readonly windowMs: number;
  /** Between two batches of backlog. */
  readonly paceMs: number;
  /** Between two looks at a schema that conflicts. */
  readonly conflictRetryMs: number;
}

/** Why these: docs/decisions/0002. */
const TIMING: Timing = {
  attemptDeadlineMs: 15_000,
  windowMs: 15_000,
  paceMs: 1000,
  conflictRetryMs: 300_000,
};
/** The flat part of the measured throughput, and what a server holds in memory until the stream ends. */
const BATCH = { batchPoints: 1000, batchBytes: 512 * 1024 };
/** A schema that was just created may be unknown to the write path for 3 to 54 ms (measured), in a cluster longer. */
const SCHEMA_DELAY_MS = { first: 50, max: 5000 };

export interface Delivery {
  /** Takes a tick; returns at once, whatever the network does. */
  enqueue(tick: Tick): void;
  status(): DeliveryStatus;
  /** What became of the counts, by `<measure>.<source>`. */
  totals(): QueueSums;
  /**
   * Sends what is left, newest first, until all is acknowledged or the deadline; then closes the sockets. What
   * could not be sent stays visible in `status()`.
   */
  stop(deadlineMs: number): Promise<void>;
  /** Closes at once. */
  abort(): void;
}

interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { config, identity, schema, log, clock = systemClock, random = Math.random } = options;
  const { startTimer = startSystemTimer, open = openTransport } = options;
  const timing = { ...TIMING, ...options.timing };
  const monotonicMs = (): number => clock().monotonicMs;
  const { maxBytes, maxAgeMs } = config.queue;
  const { paceMs, windowMs } = timing;
  const { audit: audited } = config.delivery;
  const queue = createTickQueue({ maxBytes, maxAgeMs, ...BATCH, paceMs, windowMs, audit: audited });
  const gate = createGate(random);
  const alarm = createAlarm(startTimer);
  const watchdog = createWatchdog();
  const shutdown = new AbortController();
  const streams: Record<string, number> = {};
  let trouble: Trouble | undefined;
  let stopping = false;
  let schemaDelayMs = SCHEMA_DELAY_MS.first;
  let unstored = 0;
  let cancelWake: (() => void) | undefined;

  const transport = open(config.banyandb, { onReady, onLost });
  const keeper = createSchemaKeeper({ transport, config: config.banyandb, schema }, identity, log);
  const attempt = createAttempt({
    queue,
    transport,
    schema: keeper,
    deadlineMs: timing.attemptDeadlineMs,
    conflictRetryMs: timing.conflictRetryMs,
    monotonicMs,
    onStream: (code) => (streams[code] = (streams[code] ?? 0) + 1),
  });
  const { group } = config.banyandb;
  const audit = createAudit({ queue, transport, group, groupSpec: schema.group, identity });
  /** One attempt at a time, whoever asks for one; it holds no data. */
  const executor = new PQueue({ concurrency: 1 });
  executor.on("idle", schedule);

  function onReady(): void {
    gate.ready(monotonicMs());
    alarm.ring();
  }

  function onLost(): void {
    if (shutdown.signal.aborted) return;
    keeper.forget();
    const points = queue.connectionLost();
    gate.lost(monotonicMs());
    log.throttled("connection lost", "connection to BanyanDB lost", {
      address: transport.address(),
      resend: points,
    });
    alarm.ring();
    schedule();
  }

  /** Starts what is due, or a timer for it; the executor calls again whenever it has nothing to do. */
  function schedule(): void {
    cancelWake?.();
    if (shutdown.signal.aborted || executor.size + executor.pending > 0) return;
    const nowMs = monotonicMs();
    const sendMs = keeper.isReady() || stopping ? queue.dueAtMs(nowMs) : nowMs;
    const auditMs = stopping ? undefined : audit.dueAtMs();
    const dueMs = Math.min(sendMs ?? Number.POSITIVE_INFINITY, auditMs ?? Number.POSITIVE_INFINITY);
    if (dueMs === Number.POSITIVE_INFINITY) return;
    if (dueMs > nowMs) cancelWake = startTimer(schedule, dueMs - nowMs);
    else void executor.add(sendMs !== undefined && sendMs <= nowMs ? deliver : readBackOnce).catch(ignore);
  }

  /** One audit; where it cannot be made, the next one asks for the same. */
  async function readBackOnce(): Promise<void> {
    try {
      const missing = await audit.run(monotonicMs());
      if (missing === 0) return;
      unstored += missing;
      const text = "BanyanDB acknowledged points and did not store them; they are sent again";
      log.throttled("audit unstored", text, { address: transport.address(), points: missing });
    } catch (error) {
      const { code, message } = BanyanError.from(error, "read back", transport.address());
      log.throttled(`audit ${code}`, "what is stored cannot be read back", { code, reason: message });
    }
  }

  /** Attempts until one succeeds. Rejects only at shutdown. */
  function deliver(): Promise<void> {
    let failure: Failure | undefined;
    return pRetry(
      async () => {
        failure = undefined;
        await gateOpen();
        gate.attempt(monotonicMs());
        failure = await attempt(shutdown.signal);
        if (failure) {
          const { code, message } = failure;
          throw new BanyanError({ code, operation: "write", object: transport.address(), detail: message });
        }
        succeeded();
      },
      {
        retries: Infinity,
        minTimeout: 0,
        signal: shutdown.signal,
        // The gate is where the waiting is done, at the beginning of the next attempt.
        onFailedAttempt: ({ error }) => {
          if (shutdown.signal.aborted) return;
          failed(failure ?? callFailure({ code: "INTERNAL", details: error.message }));
        },
      },
    );
  }

  /** Waits at the gate, and opens another channel meanwhile if this one hangs. */
  async function gateOpen(): Promise<void> {
    while (!shutdown.signal.aborted) {
      const nowMs = monotonicMs();
      watchdog.connecting(transport.isConnecting(), nowMs);
      if (watchdog.reopen(nowMs)) reopen();
      const remainingMs = gate.remainingMs(nowMs);
      if (remainingMs <= 0) return;
      const hangingMs = (watchdog.dueAtMs() ?? Number.POSITIVE_INFINITY) - nowMs;
      await alarm.wait(Math.max(0, Math.min(remainingMs, hangingMs)), shutdown.signal);
    }
    shutdown.signal.throwIfAborted();
  }

  function reopen(): void {
    keeper.forget();
    transport.reopen();
  }

  function succeeded(): void {
    gate.succeed();
    watchdog.ended("OK");
    schemaDelayMs = SCHEMA_DELAY_MS.first;
    if (!trouble) return;
    log.throttled("delivery recovered", "BanyanDB takes points again", {
      after_ms: clock().wallMs - trouble.sinceMs,
    });
    trouble = undefined;
  }

  function failed({ code, message, remedy, floorMs }: Failure): void {
    const nowMs = monotonicMs();
    trouble = { code, message, sinceMs: trouble?.sinceMs ?? clock().wallMs };
    log.throttled(`delivery ${code}`, "nothing could be delivered to BanyanDB", {
      address: transport.address(),
      code,
      reason: message,
    });
    if (remedy === "schema") {
      gate.hold(nowMs, schemaDelayMs);
      schemaDelayMs = Math.min(2 * schemaDelayMs, SCHEMA_DELAY_MS.max);
      return;
    }
    gate.fail(nowMs, floorMs);
    watchdog.ended(code);
    if (code === "UNAVAILABLE" && config.banyandb.endpoints.length > 1) reopen();
  }

  function close(): void {
    cancelWake?.();
    shutdown.abort();
    transport.close();
  }

  schedule();

  return {
    enqueue(tick) {
      const before = { dropped: queue.counts().dropped, unprotected: queue.unprotected() };
      queue.enqueue(tick);
      const dropped = queue.counts().dropped - before.dropped;
      const unprotected = queue.unprotected() - before.unprotected;
      if (dropped > 0)
        log.throttled("queue dropped", "the queue is full, or its oldest ticks too old: counts are lost", {
          points: dropped,
        });
      if (unprotected > 0) {
        const text = "the queue is too small for the replay window: a stop of BanyanDB may lose counts";
        log.throttled("queue unprotected", text, { points: unprotected });
      }
      schedule();
    },
    status: () => ({
      sink: { address: transport.address(), version: keeper.version() },
      points: { ...queue.counts(), unstored },
      streams: { ...streams },
      queueBytes: queue.bytes(),
      queueMaxBytes: maxBytes,
      oldestUnsentMs: ageMs(queue.oldestUnsentMs(), clock().wallMs),
      lastWrittenTimestampMs: queue.lastWrittenTimestampMs(),
      trouble,
      schema: keeper.status(),
    }),
    totals: () => queue.sums(),
    async stop(deadlineMs) {
      stopping = true;
      queue.drain();
      gate.open();
      alarm.ring();
      schedule();
      if (!queue.isIdle()) await drained(deadlineMs);
      close();
      await executor.onIdle();
    },
    abort: close,
  };

  /** Resolves when nothing is left to send, or at the deadline. */
  function drained(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        cancel();
        executor.off("idle", check);
        resolve();
      };
      const check = (): void => {
        if (queue.isIdle()) finish();
      };
      const cancel = startTimer(finish, deadlineMs);
      executor.on("idle", check);
    });
  }
}

function ageMs(timestampMs: number | undefined, nowMs: number): number {
  return timestampMs === undefined ? 0 : Math.max(0, nowMs - timestampMs);
}

function systemClock(): ClockReading {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}

/** What rejects is the shutdown, or a bug that `failed` has told already; the next attempt starts anew. */
function ignore(): void {
  // Nothing is left to do: the queue still holds what was not sent.
}
