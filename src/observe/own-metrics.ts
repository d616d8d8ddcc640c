/** What /metrics says of the sidecar itself, and no measure does. Pure. */
import {
  PROBE_CAUSES,
  type CountsByName,
  type DeliveryStatus,
  type HistogramStatus,
  type ProbeCause,
  type SidecarStatus,
} from "../model/status.js";
import type { Metric } from "./prometheus.js";

const MEANINGS: Record<ProbeCause, string> = {
  absent: "this kernel has nothing to hook",
  refused: "it lets nobody hook that, or not the sidecar",
  not_asked: "the configuration does without",
  paused: "until the next interval in which reads are timed",
};
const causes = PROBE_CAUSES.map((cause) => `${cause}: ${MEANINGS[cause]}`).join("; ");

/** Metrics of the sidecar that no measure has. */
export function ownMetrics(status: SidecarStatus): Metric[] {
  const { kernel, lastTickMs, delivery } = status;
  return [
    {
      name: "ebpf_sidecar_build_info",
      type: "gauge",
      help: "Always 1; version of the sidecar and tier at which it measures",
      samples: [{ labels: { version: status.version, tier: kernel.tier }, value: 1 }],
    },
    gauge("ebpf_sidecar_start_time_seconds", "When the sidecar started", status.startedAtMs / 1000),
    gauge("ebpf_sidecar_interval_seconds", "Configured time between two ticks", status.intervalMs / 1000),
    {
      name: "ebpf_sidecar_probe_attached",
      type: "gauge",
      help: "Whether a probe is attached (1) or not (0); what a missing one counts is absent",
      samples: kernel.probes.map(({ name, hook, attached }) => ({
        labels: { probe: name, hook },
        value: Number(attached),
      })),
    },
    {
      name: "ebpf_sidecar_probe_detached",
      type: "gauge",
      help: `1 for why a probe is not attached; ${causes}`,
      samples: kernel.probes.flatMap(({ name, cause }) =>
        PROBE_CAUSES.map((reason) => ({
          labels: { probe: name, reason },
          value: Number(reason === cause),
        })),
      ),
    },
    gauge("ebpf_sidecar_target_processes", "Processes of the target that run", kernel.targets.length),
    gauge("ebpf_sidecar_last_collected_timestamp_seconds", "Time of the last tick", toSeconds(lastTickMs)),
    ...(delivery ? deliveryMetrics(delivery) : []),
  ];
}

const CLOCK_STATES = ["unverified", "sane", "held"] as const;
const SCHEMA_STATES = ["unknown", "ready", "conflict"] as const;

function deliveryMetrics(delivery: DeliveryStatus): Metric[] {
  const { points, schema, clock } = delivery;
  return [
    counters(
      "ebpf_sidecar_rejections_total",
      "reason",
      "Points that BanyanDB refused for good",
      delivery.rejectedBy,
    ),
    counters(
      "ebpf_sidecar_drops_total",
      "reason",
      "Points given up; their counts are lost",
      delivery.droppedBy,
    ),
    gauge("ebpf_sidecar_points_queued", "Points that wait for delivery", points.queued),
    gauge("ebpf_sidecar_points_in_flight", "Points sent and not yet answered", points.inFlight),
    {
      name: "ebpf_sidecar_points_resent_total",
      type: "counter",
      help: "Acknowledged points that were sent again after a lost connection",
      samples: [{ labels: {}, value: points.resent }],
    },
    counters(
      "ebpf_sidecar_write_streams_total",
      "code",
      "Streams of the write call by the gRPC code they ended with",
      delivery.streams,
    ),
    {
      name: "ebpf_sidecar_points_unstored_total",
      type: "counter",
      help: "Acknowledged points that delivery.audit did not find stored, and that were sent again",
      samples: [{ labels: {}, value: points.unstored }],
    },
    {
      name: "ebpf_sidecar_bytes_written_total",
      type: "counter",
      help: "Encoded bytes of acknowledged points, those that were sent again included",
      samples: [{ labels: {}, value: delivery.bytesWritten }],
    },
    counters(
      "ebpf_sidecar_reconnects_total",
      "cause",
      "Connections to BanyanDB that were lost, or left for a new one",
      delivery.reconnects,
    ),
    histogram(
      "ebpf_sidecar_write_duration_seconds",
      "Duration of streams of the write call",
      delivery.writeSeconds,
    ),
    histogram("ebpf_sidecar_batch_points", "Points per stream of the write call", delivery.batchPoints),
    gauge("ebpf_sidecar_queue_capacity_bytes", "Configured bound of the queue", delivery.queueMaxBytes),
    gauge(
      "ebpf_sidecar_queue_oldest_age_seconds",
      "Age of the oldest tick that was never acknowledged",
      delivery.oldestUnsentMs / 1000,
    ),
    gauge(
      "ebpf_sidecar_last_written_timestamp_seconds",
      "Time of the newest tick that BanyanDB acknowledged",
      toSeconds(delivery.lastWrittenTimestampMs),
    ),
    gauge("ebpf_sidecar_backend_up", "Whether BanyanDB answers without trouble", Number(!delivery.trouble)),
    gauge("ebpf_sidecar_backoff_seconds", "How long nothing is tried", delivery.backoffMs / 1000),
    states(
      "ebpf_sidecar_clock_state",
      "1 for whether the wall clock is trusted with timestamps; while held nothing is written",
      CLOCK_STATES,
      clock.state,
    ),
    states(
      "ebpf_sidecar_schema_state",
      "1 for the state that the schema at BanyanDB is in",
      SCHEMA_STATES,
      schema.state,
    ),
  ];
}

function gauge(name: string, help: string, value: number | undefined): Metric {
  return { name, type: "gauge", help, samples: value === undefined ? [] : [{ labels: {}, value }] };
}

function counters(name: string, label: string, help: string, counts: CountsByName): Metric {
  const samples = Object.entries(counts).map(([key, value]) => ({ labels: { [label]: key }, value }));
  return { name, type: "counter", help, samples };
}

function states(name: string, help: string, all: readonly string[], current: string): Metric {
  const samples = all.map((state) => ({ labels: { state }, value: Number(state === current) }));
  return { name, type: "gauge", help, samples };
}

function histogram(name: string, help: string, { bounds, counts, sum }: HistogramStatus): Metric {
  let total = 0;
  const buckets = counts.map((count, i) => {
    total += count;
    const bound = bounds[i];
    return { suffix: "_bucket", labels: { le: bound === undefined ? "+Inf" : String(bound) }, value: total };
  });
  const samples = [
    ...buckets,
    { suffix: "_sum", labels: {}, value: sum },
    { suffix: "_count", labels: {}, value: total },
  ];
  return { name, type: "histogram", help, samples };
}

function toSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
