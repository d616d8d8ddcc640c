/** A sidecar that does well, to spoil one part at a time. */
import type { DeliveryStatus, KernelStatus, SidecarStatus } from "../../src/model/status.js";

export const NOW_MS = 1_800_000_000_000;

export const DELIVERY: DeliveryStatus = {
  sink: { address: "127.0.0.1:17912", version: "0.11.0" },
  points: {
    collected: 20,
    written: 18,
    rejected: 0,
    coalesced: 0,
    dropped: 0,
    queued: 2,
    inFlight: 0,
    resent: 4,
    unstored: 0,
  },
  rejectedBy: { invalid_timestamp: 0, too_large: 0 },
  droppedBy: { overflow: 0 },
  streams: { OK: 9, UNAVAILABLE: 0 },
  queueBytes: 1000,
  queueMaxBytes: 33_554_432,
  oldestUnsentMs: 1500,
  lastWrittenTimestampMs: NOW_MS - 10_000,
  lastWrittenAgeMs: 10_000,
  bytesWritten: 4096,
  reconnects: { lost: 1, recycle: 0 },
  backoffMs: 0,
  writeSeconds: { bounds: [0.1, 1], counts: [7, 1, 1], sum: 2.5 },
  batchPoints: { bounds: [2], counts: [9, 0], sum: 18 },
  clock: { state: "sane", reason: undefined },
  trouble: undefined,
  schema: { state: "ready", diff: [] },
};

export const KERNEL: KernelStatus = {
  tier: "tracing",
  probes: [
    { name: "on_get_pages", hook: "tp_btf/mm_filemap_get_pages", attached: true },
    { name: "on_add", hook: "tp_btf/mm_filemap_add_to_page_cache", attached: true },
  ],
  eventsMissed: 0,
  targets: [{ pid: 42, tgid: 42, command: "banyand", nodeId: "host:17912" }],
  refused: [],
  ownCost: { runNs: 4000, sampledMs: 100 },
};

export const HEALTHY: SidecarStatus = {
  version: "1.2.3",
  startedAtMs: NOW_MS - 60_000,
  intervalMs: 10_000,
  nowMs: NOW_MS,
  uptimeMs: 60_000,
  lastTickMs: NOW_MS - 1000,
  lastTickAgeMs: 1000,
  recent: { eventsMissed: 0, rejected: 0, dropped: 0 },
  identity: { node_id: "host:17912", cluster: "n/a" },
  kernel: KERNEL,
  delivery: DELIVERY,
};
