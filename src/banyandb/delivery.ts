/**
 * Delivery of ticks: takes them at once and for good, and sends them when BanyanDB lets it. Joins queue, gate,
 * schema and transport; all that decides is in those.
 */
import { isDeepStrictEqual } from "node:util";
import PQueue from "p-queue";
import pRetry from "p-retry";
import type {
  BanyandbConfig,
  DeliveryConfig as DeliveryOptionsConfig,
  QueueConfig,
} from "../config/config.js";
import { tickClock, type ClockReading, type Timeline } from "../model/clock.js";
import type { Resumption, TickJournal } from "../model/journal.js";
import type { Log } from "../model/log.js";
import type { Schema } from "../model/measure.js";
import type { DeliveryStatus } from "../model/status.js";
import type { Tick } from "../model/tick.js";
import { createAlarm } from "./alarm.js";
import { createAttempt } from "./attempt.js";
import { createAudit } from "./audit.js";
import { createClockKeeper } from "./clock-keeper.js";
import { askWitnesses } from "./clock-witness.js";
import { createDeliveryNumbers } from "./delivery-numbers.js";
import { BanyanError } from "./errors.js";
import { BATCH, RECYCLE_SPREAD, SCHEMA_DELAY_MS, TIMING, type Timing } from "./delivery-timing.js";
import { createGate } from "./gate.js";
import { callFailure, type Failure } from "./outcome.js";
import { createTickQueue, type QueueSums } from "./queue.js";
import { createSchemaKeeper } from "./schema-keeper.js";
import { startSystemTimer, type StartTimer } from "./timers.js";
import { openTransport, type ReconnectCause } from "./transport.js";
import { createWatchdog } from "./watchdog.js";

export interface DeliveryConfig {
  readonly banyandb: BanyandbConfig;
  readonly queue: QueueConfig;
  readonly delivery: DeliveryOptionsConfig;
}

export interface DeliveryOptions {
  readonly config: DeliveryConfig;
  /** Values of the group's identity tags, in their order. */
  readonly identity: readonly string[];
  readonly schema: Schema;
  readonly log: Log;
  /** The system's clocks, if absent. */
  readonly clock?: () => ClockReading;
  /** The time of the ticks, which is shifted where the wall clock was wrong; one of our own, if absent. */
  readonly timeline?: Timeline;
  /** When this program was built, in milliseconds since the epoch: no clock before that is right. */
  readonly builtMs?: number;
  /** Notes what is sent, if there is one. */
  readonly journal?: TickJournal;
  /** What a process before this one has left to be sent again. */
  readonly resumption?: Resumption | undefined;
  /** Math.random, if absent. */
  readonly random?: () => number;
  /** Those of Node, if absent. */
  readonly startTimer?: StartTimer;
  /** The network, if absent. */
  readonly open?: typeof openTransport;
  /** For tests that cannot wait. */
  readonly timing?: Partial<Timing>;
}

export interface Delivery {
  /** Takes a tick; returns at once, whatever the network does. */
  enqueue(tick: Tick): void;
  status(): DeliveryStatus;
  /** Takes other endpoints, credentials, TLS settings and bounds; nothing that is held is lost. */
  configure(config: DeliveryConfig): void;
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
  /** Of the monotonic clock. */
  readonly sinceMs: number;
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { identity, schema, log, clock = systemClock, random = Math.random } = options;
  const { startTimer = startSystemTimer, open = openTransport } = options;
  const timing = { ...TIMING, ...options.timing };
  const monotonicMs = (): number => clock().monotonicMs;
  const { timeline = tickClock(clock()), builtMs = 0 } = options;
  let { config } = options;
  const { paceMs, windowMs, attemptDeadlineMs: deadlineMs } = timing;
  const limits = { ...config.queue, ...config.delivery, ...BATCH, paceMs, windowMs, deadlineMs };
  const queue = createTickQueue(limits, options.journal);
  if (options.resumption) queue.resume(options.resumption);
  const gate = createGate(random);
  const alarm = createAlarm(startTimer);
  const watchdog = createWatchdog();
  const shutdown = new AbortController();
  const numbers = createDeliveryNumbers();
  let trouble: Trouble | undefined;
  let stopping = false;
  let schemaDelayMs = SCHEMA_DELAY_MS.first;
  let unstored = 0;
  let cancelWake: (() => void) | undefined;
  let recycleAtMs = nextRecycleMs();

  const transport = open(config.banyandb, { onReady, onLost }, random);
  const keeper = createSchemaKeeper({ transport, config: config.banyandb, schema }, identity, log);
  const clockKeeper = createClockKeeper({ queue, clock, timeline, builtMs, log });
  const attempt = createAttempt({
    queue,
    transport,
    schema: keeper,
    clock: clockKeeper,
    askWitnesses: (signal) =>
      askWitnesses({ transport, group: config.banyandb.group, schema, identity, signal }),
    deadlineMs: timing.attemptDeadlineMs,
    conflictRetryMs: timing.conflictRetryMs,
    clockRetryMs: timing.clockRetryMs,
    monotonicMs,
    onStream: (stream) => {
      numbers.record(stream);
    },
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

  /** A connection that was left counts as lost too: nobody will tell whether its server lives on. */
  function onLost(left: boolean): void {
    if (shutdown.signal.aborted) return;
    keeper.forget();
    const points = queue.connectionLost();
    gate.lost(monotonicMs());
    const fields = { address: transport.address(), resend: points };
    if (left) log.debug("connection to BanyanDB left", fields);
    else log.throttled("connection lost", "connection to BanyanDB lost", fields);
    alarm.ring();
    schedule();
  }

  /** Changes the queue, and tells what it gave up for that. */
  function telling(change: () => void): void {
    const before = { dropped: queue.counts().dropped, unprotected: queue.unprotected() };
    change();
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
  }

  function nextRecycleMs(): number {
    return monotonicMs() + timing.recycleMs * (1 - RECYCLE_SPREAD + 2 * RECYCLE_SPREAD * random());
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
        if (monotonicMs() >= recycleAtMs) reopen("recycle");
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
      if (watchdog.reopen(nowMs)) reopen("watchdog");
      const remainingMs = gate.remainingMs(nowMs);
      if (remainingMs <= 0) return;
      const hangingMs = (watchdog.dueAtMs() ?? Number.POSITIVE_INFINITY) - nowMs;
      await alarm.wait(Math.max(0, Math.min(remainingMs, hangingMs)), shutdown.signal);
    }
    shutdown.signal.throwIfAborted();
  }

  function reopen(cause: ReconnectCause): void {
    keeper.forget();
    recycleAtMs = nextRecycleMs();
    transport.reopen(cause);
  }

  function succeeded(): void {
    gate.succeed();
    watchdog.ended("OK");
    schemaDelayMs = SCHEMA_DELAY_MS.first;
    if (!trouble) return;
    log.throttled("delivery recovered", "BanyanDB takes points again", {
      after_ms: Math.round(monotonicMs() - trouble.sinceMs),
    });
    trouble = undefined;
  }

  function failed({ code, message, remedy, floorMs }: Failure): void {
    const nowMs = monotonicMs();
    if (remedy === "clock") {
      // It was BanyanDB that told, so that one is well.
      gate.succeed();
      watchdog.ended("OK");
      trouble = undefined;
      gate.hold(nowMs, floorMs);
      log.throttled("clock", "ticks are held back: the wall clock cannot be trusted", { reason: message });
      return;
    }
    trouble = { code, message, sinceMs: trouble?.sinceMs ?? nowMs };
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
    if (code === "UNAVAILABLE" && config.banyandb.endpoints.length > 1) reopen("failover");
  }

  function close(): void {
    cancelWake?.();
    shutdown.abort();
    transport.close();
  }

  schedule();

  return {
    enqueue(tick) {
      telling(() => {
        queue.enqueue(tick);
      });
      if (clockKeeper.observe()) {
        gate.ready(monotonicMs());
        alarm.ring();
      }
      schedule();
    },
    status() {
      const now = clock();
      const nowMs = now.monotonicMs;
      return {
        sink: { address: transport.address(), version: keeper.version() },
        points: { ...queue.counts(), unstored },
        ...queue.reasons(),
        ...numbers.read(nowMs),
        queueBytes: queue.bytes(),
        queueMaxBytes: config.queue.maxBytes,
        oldestUnsentMs: ageMs(queue.oldestUnsentMs(), timeline.at(now)),
        lastWrittenTimestampMs: queue.lastWrittenTimestampMs(),
        reconnects: transport.reconnects(),
        backoffMs: gate.remainingMs(nowMs),
        clock: clockKeeper.status(),
        trouble: trouble && {
          code: trouble.code,
          message: trouble.message,
          ageMs: nowMs - trouble.sinceMs,
        },
        schema: keeper.status(),
      };
    },
    configure(wanted) {
      const isOther = !isDeepStrictEqual(wanted.banyandb, config.banyandb);
      config = wanted;
      telling(() => {
        queue.limit({ ...config.queue, ...config.delivery });
      });
      schedule();
      if (!isOther) return;
      transport.configure(config.banyandb);
      // What was refused until now may be taken with these.
      gate.open();
      alarm.ring();
      schedule();
    },
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
