/** From what the sidecar knows of itself to a verdict. Pure. */
import type { DeliveryStatus, SidecarStatus } from "../model/status.js";

export type HealthState = "ok" | "degraded" | "failing";

export interface Health {
  readonly status: HealthState;
  /** One line each: the cause, then the cure. */
  readonly problems: readonly string[];
  /** 503 where the state is failing. */
  readonly httpStatus: 200 | 503;
}

interface Problem {
  readonly severity: "degraded" | "failing";
  readonly text: string;
}

/** Intervals without a tick, or without an acknowledged row, after which something is broken. */
const SILENT_INTERVALS = 5;

/** Shortest such silence: below it a busy host alone would do, at the smallest intervals. */
const SILENT_MIN_MS = 5000;

/** Judges a status. */
export function judgeHealth(status: SidecarStatus): Health {
  const problems = [
    ...measuringProblems(status),
    ...(status.delivery ? deliveryProblems(status, status.delivery) : []),
  ];
  const failing = problems.some(({ severity }) => severity === "failing");
  return {
    status: failing ? "failing" : problems.length > 0 ? "degraded" : "ok",
    problems: problems.map(({ text }) => text),
    httpStatus: failing ? 503 : 200,
  };
}

/** Whether the probes are attached: what /readyz says. BanyanDB is no part of it, or it would take its pod out. */
export function isReady({ kernel }: SidecarStatus): boolean {
  return kernel.probes.some(({ attached }) => attached);
}

function silenceMs(intervalMs: number): number {
  return Math.max(SILENT_INTERVALS * intervalMs, SILENT_MIN_MS);
}

function measuringProblems(status: SidecarStatus): Problem[] {
  const { kernel, nowMs, lastTickMs, startedAtMs, intervalMs } = status;
  const problems: Problem[] = [];
  if (!isReady(status)) {
    const reasons = kernel.probes.map(({ name, reason }) => `${name}: ${reason ?? "not attached"}`);
    const why = reasons.length > 0 ? ` (${reasons.join("; ")})` : "";
    problems.push({
      severity: "failing",
      text: `nothing is measured: no probe is attached${why}; run \`banyandb-ebpf-sidecar check\` to see what is missing`,
    });
    return problems;
  }
  for (const { name, hook, attached, reason } of kernel.probes) {
    if (attached) continue;
    const text = `probe ${name} (${hook}) is not attached: ${reason ?? "reason unknown"}; what it counts is missing, see \`banyandb-ebpf-sidecar check\``;
    problems.push({ severity: "degraded", text });
  }
  if (kernel.targets.length === 0) {
    const text =
      "no process of the target runs; start it, or correct target.name, target.command or target.pid";
    problems.push({ severity: "degraded", text });
  }
  if (kernel.eventsMissed > 0) {
    const text = `${kernel.eventsMissed} kernel events could not be counted since the start; the counts are that much too low`;
    problems.push({ severity: "degraded", text });
  }
  const silentMs = nowMs - (lastTickMs ?? startedAtMs);
  if (silentMs > silenceMs(intervalMs)) {
    const text = `no tick for ${seconds(silentMs)}: the host is overloaded or its clock was set; look at the log, restart if it stays`;
    problems.push({ severity: "failing", text });
  }
  return problems;
}

function deliveryProblems(status: SidecarStatus, delivery: DeliveryStatus): Problem[] {
  const { sink, schema, trouble, points, lastWrittenTimestampMs } = delivery;
  const problems: Problem[] = [];
  if (schema.state === "conflict") {
    const text = `BanyanDB has the schema otherwise: ${schema.diff.join("; ")}; choose another banyandb.group, or remove the measure there`;
    problems.push({ severity: "failing", text });
  }
  const why = trouble
    ? `${trouble.code}: ${trouble.message}, for ${seconds(status.nowMs - trouble.sinceMs)}`
    : "no answer yet";
  const cure = `check banyandb.endpoints (${sink.address}) and that server`;
  const silentMs = status.nowMs - (lastWrittenTimestampMs ?? status.startedAtMs);
  if (silentMs > silenceMs(status.intervalMs)) {
    const text = `nothing was delivered for ${seconds(silentMs)} (${why}); ${cure}`;
    problems.push({ severity: "failing", text });
  } else if (trouble) {
    problems.push({
      severity: "degraded",
      text: `BanyanDB is in trouble (${why}); retried by itself, ${cure}`,
    });
  }
  if (points.rejected > 0) {
    const text = `BanyanDB refused ${points.rejected} points for good since the start; the log names the reasons`;
    problems.push({ severity: "degraded", text });
  }
  if (points.dropped > 0) {
    const text = `${points.dropped} points were given up since the start; raise queue.max_bytes`;
    problems.push({ severity: "degraded", text });
  }
  return problems;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
