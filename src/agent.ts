/** The tick: read, take differences, enqueue; and the order in which things start and stop. Owns no format. */
import { createDelivery, type DeliveryConfig } from "./banyandb/delivery.js";
import { heartbeatSample, measureNamed, type OwnNumbers } from "./agent-samples.js";
import type { Config } from "./config/config.js";
import { builtMs } from "./config/schema-files.js";
import { openCounting, type Counting } from "./counting.js";
import { identityTags } from "./config/targets.js";
import { KernelError } from "./kernel/errors.js";
import { tickClock, type ClockReading, type TickClock } from "./model/clock.js";
import type { Log } from "./model/log.js";
import { untilTickMs } from "./model/phase.js";
import { recentGrowth } from "./model/recent.js";
import type { Schema } from "./model/measure.js";
import type { DeliveryStatus, KernelStatus, PointCounts, SidecarStatus } from "./model/status.js";
import { saysSomething, tickVersion, type Tick } from "./model/tick.js";
import { addToTotals, type Totals } from "./model/totals.js";
import { judgeHealth, RECENT_INTERVALS } from "./observe/health.js";
import { startTickTimers } from "./tick-timers.js";

/** Where ticks go. */
export interface Sink {
  enqueue(tick: Tick): void;
  status(): DeliveryStatus | undefined;
  /** Takes other endpoints, credentials and bounds; absent where there are none. */
  configure?(config: DeliveryConfig): void;
  /** Delivers what is left; resolves at the deadline at the latest. */
  stop(deadlineMs: number): Promise<void>;
  abort(): void;
}

export interface AgentOptions {
  readonly config: Config;
  readonly schema: Schema;
  readonly log: Log;
  /** `banyandb` for the configured server, else a sink of the caller's. */
  readonly sink: "banyandb" | Sink;
  /** Version of this program. */
  readonly version: string;
  /** Where counts outlive this process; undefined: they do not. */
  readonly pinPath?: string | undefined;
}

export interface Agent {
  status(): SidecarStatus;
  totals(): Totals | undefined;
  /** Ticks made so far. */
  ticks(): number;
  /**
   * Takes what can be changed while running: the interval, and endpoints, credentials, TLS settings and bounds of
   * the delivery.
   */
  configure(config: Config): void;
  /** The targets' counters since the start, summed over the components, by a fresh read of the kernel. */
  kernelTotals(): Readonly<Record<string, bigint>>;
  /** Ends the counting, takes the last delta and delivers what is left, within the deadline. */
  stop(deadlineMs: number): Promise<void>;
  /** Gives up at once what is not delivered. */
  abort(): void;
  /** Releases the kernel's resources; after stop or abort. */
  close(): void;
}

/** With this tick the start is over: all that runs has run, from the read-out to the answers of the first tick. */
const STARTED_TICKS = 2;

const NO_POINTS: PointCounts = {
  collected: 0,
  written: 0,
  rejected: 0,
  coalesced: 0,
  dropped: 0,
  queued: 0,
  inFlight: 0,
  resent: 0,
  unstored: 0,
};

/**
 * Starts measuring and delivering.
 * @throws KernelError where nothing can be measured, unless `kernel.allow_degraded`
 */
export function runAgent(options: AgentOptions): Agent {
  const { schema, log, version } = options;
  let { config } = options;
  const counting = openOrDegrade(options);
  const kernel = counting instanceof KernelError ? counting : counting.kernel;
  const journal = counting instanceof KernelError ? undefined : counting.journal;
  const resumption = journal?.resumption;
  const identity = identityTags(config.node);
  const started = readClocks();
  const timeline = tickClock(started, resumption);
  const sink: Sink =
    options.sink === "banyandb"
      ? createDelivery({
          ...{ config, identity, schema, log, timeline, builtMs: builtMs(), resumption },
          ...(journal && { journal }),
        })
      : options.sink;
  const measuring = measure(counting, schema, sink, status, timeline);
  const timers = startTickTimers({
    intervalMs: config.intervalMs,
    // Somebody who looks on wants a whole interval; writers of a fleet, each its own time.
    untilFirstMs: (intervalMs) =>
      options.sink === "banyandb" ? untilTickMs(config.node.id, intervalMs, Date.now()) : intervalMs,
    tick: measuring.tick,
    follow: () => {
      follow("followChanges");
    },
  });
  follow("follow");

  function follow(how: "follow" | "followChanges"): void {
    if (kernel instanceof KernelError) return;
    try {
      kernel[how]();
    } catch (error) {
      const { code, message } = KernelError.from(error, "follow", "the target");
      log.throttled(`follow ${code}`, "the target's processes cannot be listed", { code, reason: message });
    }
  }

  function status(): SidecarStatus {
    const now = readClocks();
    const kernelStatus = counting instanceof KernelError ? unmeasured(counting) : statusOf(counting);
    const delivery = sink.status();
    return {
      version,
      startedAtMs: started.wallMs,
      intervalMs: config.intervalMs,
      nowMs: now.wallMs,
      uptimeMs: now.monotonicMs - started.monotonicMs,
      ...measuring.lastTick(now),
      recent: measuring.recentLosses(kernelStatus, delivery),
      identity: Object.fromEntries(
        schema.group.identityTags.map(({ name }, i) => [name, identity[i] ?? "n/a"]),
      ),
      kernel: kernelStatus,
      delivery,
    };
  }

  return {
    status,
    totals: measuring.totals,
    ticks: measuring.ticks,
    kernelTotals: measuring.kernelTotals,
    configure(wanted) {
      config = wanted;
      timers.setInterval(config.intervalMs);
      sink.configure?.(config);
    },
    async stop(deadlineMs) {
      timers.stop();
      // First the counting ends, so that the last delta leaves nothing behind.
      if (!(kernel instanceof KernelError)) kernel.detach();
      measuring.tick();
      await sink.stop(deadlineMs);
      journal?.save();
    },
    abort() {
      timers.stop();
      sink.abort();
    },
    close() {
      if (!(counting instanceof KernelError)) counting.close();
    },
  };
}

function openOrDegrade({ config, pinPath, schema, log }: AgentOptions): Counting | KernelError {
  try {
    return openCounting({ config, pinPath, schema, log });
  } catch (error) {
    const problem = KernelError.from(error, "open", "the kernel side");
    if (!config.kernel.allowDegraded) throw problem;
    log.error("nothing is measured; going on because of kernel.allow_degraded", { reason: problem.message });
    return problem;
  }
}

function statusOf({ kernel, pinsRefused }: Counting): KernelStatus {
  return { ...kernel.status(), ...(pinsRefused && { pins: pinsRefused }) };
}

function unmeasured(problem: KernelError): KernelStatus {
  const probe = {
    name: problem.operation,
    hook: problem.object,
    attached: false,
    cause: problem.code === "ENOTSUP" ? "absent" : "refused",
    reason: problem.message,
  } as const;
  const ownCost = { reason: problem.message };
  return { tier: "none", probes: [probe], eventsMissed: 0, ownCost, targets: [], refused: [] };
}

function readClocks(): ClockReading {
  return { wallMs: Date.now(), monotonicMs: performance.now() };
}

interface Measuring {
  /** Takes what was added since the previous tick, and enqueues it. */
  readonly tick: () => void;
  readonly lastTick: (now: ClockReading) => Pick<SidecarStatus, "lastTickMs" | "lastTickAgeMs">;
  readonly recentLosses: (
    kernel: KernelStatus,
    delivery: DeliveryStatus | undefined,
  ) => SidecarStatus["recent"];
  readonly ticks: () => number;
  readonly totals: () => Totals | undefined;
  readonly kernelTotals: () => Readonly<Record<string, bigint>>;
}

function measure(
  opened: Counting | KernelError,
  schema: Schema,
  sink: Sink,
  status: () => SidecarStatus,
  timeline: TickClock,
): Measuring {
  const counting = opened instanceof KernelError ? undefined : opened;
  const heartbeat = measureNamed(schema, "sidecar");
  const losses = recentGrowth(RECENT_INTERVALS, ["eventsMissed", "rejected", "dropped"]);
  let own: OwnNumbers | undefined;
  let totals: Totals | undefined;
  let lastTickMonotonicMs: number | undefined;
  let ticks = 0;

  return {
    tick: () => {
      const clocks = readClocks();
      const { timestampMs, intervalMs } = timeline.next(clocks);
      lastTickMonotonicMs = clocks.monotonicMs;
      const atTick = status();
      losses.record(lossesOf(atTick.kernel, atTick.delivery));
      const now = ownNumbers(atTick);
      const samples = [...(counting?.advance() ?? []), heartbeatSample(heartbeat, now, own)].filter(
        saysSomething,
      );
      own = now;
      const tick: Tick = { timestampMs, version: tickVersion(timestampMs, ticks), intervalMs, samples };
      ticks++;
      totals = addToTotals(totals, tick);
      counting?.journal?.made(tick);
      sink.enqueue(tick);
      if (ticks === STARTED_TICKS) counting?.releaseStartMemory();
    },
    lastTick: (now) => ({
      lastTickMs: totals?.latest.timestampMs,
      lastTickAgeMs: lastTickMonotonicMs === undefined ? undefined : now.monotonicMs - lastTickMonotonicMs,
    }),
    recentLosses: (kernelStatus, delivery) => losses.until(lossesOf(kernelStatus, delivery)),
    ticks: () => ticks,
    totals: () => totals,
    kernelTotals: () => counting?.totals() ?? {},
  };
}

function lossesOf({ eventsMissed }: KernelStatus, delivery: DeliveryStatus | undefined) {
  const { rejected, dropped } = delivery?.points ?? NO_POINTS;
  return { eventsMissed, rejected, dropped };
}

function ownNumbers(status: SidecarStatus): OwnNumbers {
  const { probes, eventsMissed, ownCost } = status.kernel;
  const cpu = process.cpuUsage();
  const attached = probes.filter((probe) => probe.attached).length;
  const missing = probes.filter((probe) => !probe.attached && !probe.optional).length;
  return {
    health: judgeHealth(status).status,
    probesAttached: attached,
    probesMissing: missing,
    eventsMissed,
    ownCost,
    points: status.delivery?.points ?? NO_POINTS,
    queueBytes: status.delivery?.queueBytes ?? 0,
    cpuUs: cpu.user + cpu.system,
    rssBytes: process.memoryUsage.rss(),
  };
}
