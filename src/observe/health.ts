/** From what the sidecar knows of itself to a verdict. Pure. */
import { IDENTITIES_MAX } from "../model/identity.js";
import type { DeliveryStatus, SidecarStatus } from "../model/status.js";

export type HealthState = "ok" | "degraded" | "failing";

export interface Health {
  readonly status: HealthState;
  /** One line each: the cause, then the cure. */
  readonly problems: readonly string[];
  /** Each part by itself. */
  readonly components: Readonly<Record<"measuring" | "delivery", HealthState>>;
  /** 503 where the state is failing. */
  readonly httpStatus: 200 | 503;
}

interface Problem {
  readonly severity: "degraded" | "failing";
  readonly text: string;
}

/** Intervals without a tick, or without an acknowledged row, after which something is broken. */
const SILENT_INTERVALS = 5;

/** For so many intervals a loss makes the state degraded. */
export const RECENT_INTERVALS = 10;

/** Shortest such silence: below it a busy host alone would do, at the smallest intervals. */
const SILENT_MIN_MS = 5000;

/** Judges a status. */
export function judgeHealth(status: SidecarStatus): Health {
  const measuring = measuringProblems(status);
  const delivery = status.delivery ? deliveryProblems(status, status.delivery) : [];
  const problems = [...measuring, ...delivery];
  const state = worst(problems);
  return {
    status: state,
    problems: problems.map(({ text }) => text),
    components: { measuring: worst(measuring), delivery: worst(delivery) },
    httpStatus: state === "failing" ? 503 : 200,
  };
}

function worst(problems: readonly Problem[]): HealthState {
  if (problems.some(({ severity }) => severity === "failing")) return "failing";
  return problems.length > 0 ? "degraded" : "ok";
}

/**
 * Whether the probes are attached, or none is wanted: what /readyz says. BanyanDB is no part of it, or it would take
 * its pod out.
 */
export function isReady({ kernel }: SidecarStatus): boolean {
  return kernel.tier === "procfs" || kernel.probes.some(({ attached }) => attached);
}

function silenceMs(intervalMs: number): number {
  return Math.max(SILENT_INTERVALS * intervalMs, SILENT_MIN_MS);
}

function measuringProblems(status: SidecarStatus): Problem[] {
  const { kernel, lastTickAgeMs, uptimeMs, intervalMs, recent } = status;
  const problems: Problem[] = [];
  if (!isReady(status)) {
    const reasons = kernel.probes.map(({ name, reason }) => `${name}: ${reason ?? "attached"}`);
    const why = reasons.length > 0 ? ` (${reasons.join("; ")})` : "";
    problems.push({
      severity: "failing",
      text: `nothing is measured: no probe is attached${why}; run \`banyandb-ebpf-sidecar check\` to see what is missing`,
    });
    return problems;
  }
  for (const probe of kernel.probes) {
    if (probe.attached || probe.optional) continue;
    const { name, hook, reason } = probe;
    const text = `probe ${name} (${hook}) is not attached: ${reason}; what it counts is missing, see \`banyandb-ebpf-sidecar check\``;
    problems.push({ severity: "degraded", text });
  }
  if (kernel.targets.length === 0) {
    const text =
      "no process of the target runs; start it, or correct target.name, target.command, target.cgroup or target.pid";
    problems.push({ severity: "degraded", text });
  }
  if (kernel.refused.length > 0) {
    const text = `not counted, for no more than ${IDENTITIES_MAX} targets can be told apart: ${kernel.refused.join(", ")}; restart the sidecar where older ones are gone for good, or run a second one`;
    problems.push({ severity: "degraded", text });
  }
  problems.push(...pinProblems(status));
  if (recent.eventsMissed > 0) {
    const text = `${recent.eventsMissed} kernel events could not be counted in the last ${RECENT_INTERVALS} intervals; the counts are that much too low`;
    problems.push({ severity: "degraded", text });
  }
  const silentMs = lastTickAgeMs ?? uptimeMs;
  if (silentMs > silenceMs(intervalMs)) {
    const text = `no tick for ${seconds(silentMs)}: the host is overloaded; look at the log, restart if it stays`;
    problems.push({ severity: "failing", text });
  }
  return problems;
}

function pinProblems({ kernel: { pins }, uptimeMs, intervalMs }: SidecarStatus): Problem[] {
  if (!pins) return [];
  const { path, reason, notPinned, gapMs } = pins;
  const texts: string[] = [];
  if (reason !== undefined)
    texts.push(
      `nothing outlives the sidecar: ${reason}; mount a BPF file system for kernel.pin_path (${path})`,
    );
  if (notPinned.length > 0)
    texts.push(
      `these probes count nothing while the sidecar is away: ${notPinned.join("; ")}; needs Linux 5.15`,
    );
  if (gapMs > 0 && uptimeMs <= RECENT_INTERVALS * intervalMs)
    texts.push(
      `nothing was counted for ${seconds(gapMs)} before the start, for no sidecar was there longer than kernel.orphan_timeout; keep it running, or raise that`,
    );
  return texts.map((text) => ({ severity: "degraded", text }));
}

function deliveryProblems(status: SidecarStatus, delivery: DeliveryStatus): Problem[] {
  const { sink, schema, trouble, clock, lastWrittenAgeMs } = delivery;
  const problems: Problem[] = [];
  if (schema.state === "conflict") {
    const text = `BanyanDB has the schema otherwise: ${schema.diff.join("; ")}; choose another banyandb.group, or remove the measure there`;
    problems.push({ severity: "failing", text });
  }
  const why = trouble
    ? `${trouble.code}: ${trouble.message}, for ${seconds(trouble.ageMs)}`
    : "no answer yet";
  const cure = `check banyandb.endpoints (${sink.address}) and that server`;
  const silentMs = lastWrittenAgeMs ?? status.uptimeMs;
  const isSilent = silentMs > silenceMs(status.intervalMs);
  if (clock.state === "held") {
    const text = `nothing is written: ${clock.reason ?? "the wall clock is wrong"}; look after the clock of this host, no count is lost meanwhile`;
    problems.push({ severity: isSilent ? "failing" : "degraded", text });
  } else if (isSilent) {
    const text = `nothing was delivered for ${seconds(silentMs)} (${why}); ${cure}`;
    problems.push({ severity: "failing", text });
  } else if (trouble) {
    problems.push({
      severity: "degraded",
      text: `BanyanDB is in trouble (${why}); retried by itself, ${cure}`,
    });
  }
  const { rejected, dropped } = status.recent;
  if (rejected > 0) {
    const text = `BanyanDB refused ${rejected} points for good in the last ${RECENT_INTERVALS} intervals; /metrics names the reasons`;
    problems.push({ severity: "degraded", text });
  }
  if (dropped > 0) {
    const text = `${dropped} points were given up in the last ${RECENT_INTERVALS} intervals; raise queue.max_bytes`;
    problems.push({ severity: "degraded", text });
  }
  return problems;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
