/**
 * Which test holds which fields against a truth that is not ours. A field with none has a line in docs/METRICS.md that
 * says why (test/unit/docs/truths.test.ts).
 */
interface TestedFields {
  /** Below test/, without the ending. */
  readonly file: string;
  readonly test: string;
  readonly measure: string;
  readonly fields: string;
}

const READS = {
  file: "kernel/rows",
  test: "have reads, hits and rates as cachestat(2) says",
  fields:
    "reads reads_hit reads_missed read_bytes pages_requested pages_hit pages_missed pages_readahead pages_added " +
    "hit_rate_percent miss_rate_percent read_hit_rate_percent",
};
const FAULTS = {
  file: "kernel/rows",
  test: "have pages that came by faults on a mapping, and those alone",
  fields: "pages_faulted",
};
const WRITES = {
  file: "kernel/rows",
  test: "have pages that were written, and leave with their file",
  fields: "pages_written pages_evicted pages_evicted_truncate pages_evicted_other",
};
const HINTS = {
  file: "kernel/rows",
  test: "have what hints did to pages, and its shares",
  fields: "pages_prefetched pages_refaulted pages_evicted_hint",
};
const RECLAIM = {
  file: "kernel/pressure",
  test: "is what the kernel says of the cgroup, and evicts exactly what its reclaim freed",
};
const OWN = {
  measure: "sidecar",
  file: "e2e/own-numbers",
  test: "are what the kernel says of its process and programs, and the server of its points",
};

/** The same of the whole target and of a component. */
const counted = ["page_cache", "page_cache_component"].flatMap((measure): TestedFields[] => [
  ...[READS, FAULTS, WRITES, HINTS].map((one) => ({ ...one, measure })),
  { ...RECLAIM, measure, fields: "pages_evicted_reclaim" },
]);

export const TRUTHS: readonly TestedFields[] = [
  ...counted,
  // All rows of a tick have its interval, and that of the sidecar's own row is held against a clock.
  ...[
    ...["page_cache", "page_cache_component", "fadvise", "read_latency", "read_latency_bucket"],
    "memory_pressure",
  ].map((measure) => ({
    measure,
    file: "unit/model/tick",
    test: "derives fields from sources",
    fields: "interval_ms",
  })),
  {
    measure: "page_cache",
    file: "kernel/storage",
    test: "is pages and direct bytes to the byte, by ",
    fields: "direct_bytes",
  },
  {
    measure: "page_cache",
    file: "kernel/target",
    test: "moves what /proc/PID/io says from and to storage, also of a life that nobody saw",
    fields: "storage_read_bytes storage_write_bytes",
  },
  {
    measure: "fadvise",
    file: "kernel/rows",
    test: "have each call of fadvise, its errors, and what it asked for",
    fields:
      "calls errors calls_without_effect pages_asked pages_affected success_rate_percent effect_rate_percent",
  },
  {
    measure: "fadvise",
    file: "kernel/rows",
    test: HINTS.test,
    fields: "pages_refaulted pages_used pages_late miss_rate_after_percent refault_rate_percent",
  },
  {
    measure: "fadvise",
    file: "kernel/hints",
    test: "are known by what they did to pages",
    fields: "pages_wasted",
  },
  {
    measure: "read_latency",
    file: "kernel/rows",
    test: "have the times of reads as the reader's own clock says",
    fields: "reads sampled_ms latency_sum_us p50_us p90_us p95_us p99_us max_us",
  },
  {
    measure: "read_latency_bucket",
    file: "kernel/rows",
    test: "have the times of reads as the reader's own clock says",
    fields: "reads",
  },
  {
    ...RECLAIM,
    measure: "memory_pressure",
    fields:
      "memcg_reclaims reclaim_stall_us pages_scanned pages_reclaimed reclaim_efficiency_percent " +
      "refaults psi_some_us psi_full_us",
  },
  {
    measure: "memory_pressure",
    file: "vm/guest/direct-reclaim",
    test: "is counted as often as the kernel says, for the node and for the target that had to",
    fields: "direct_reclaims",
  },
  {
    ...OWN,
    fields:
      "status probes_attached events_missed points_collected points_written cpu_us rss_bytes interval_ms",
  },
  {
    measure: "sidecar",
    file: "e2e/own-numbers",
    test: "say how many probes are missing, and that this is no good state",
    fields: "probes_missing",
  },
  {
    measure: "sidecar",
    file: "kernel/own-cost",
    test: "is what bpftool says, and grows only while it is asked for",
    fields: "probe_run_ns",
  },
  {
    measure: "sidecar",
    file: "integration/delivery",
    test: "rejects a point that the server will never take, and delivers the others",
    fields: "points_rejected",
  },
  {
    measure: "sidecar",
    file: "integration/delivery",
    test: "merges ticks when a tiny queue is full, and no count is lost",
    fields: "points_coalesced",
  },
  {
    measure: "sidecar",
    file: "faults/answers",
    test: "only beyond queue.max_age ticks are dropped, and exactly counted",
    fields: "points_dropped",
  },
];
