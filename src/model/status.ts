/** What the sidecar knows of itself, as plain data: for /health, /metrics, `check` and the heartbeat row. */

/**
 * Why a probe is not attached, in one word: the kernel has nothing that it could hook; the kernel lets nobody hook it, or
 * not us; the configuration does without it; it waits for the next interval in which reads are timed.
 */
export const PROBE_CAUSES = ["absent", "refused", "not_asked", "paused"] as const;
export type ProbeCause = (typeof PROBE_CAUSES)[number];

interface Probe {
  /** Name of the BPF program. */
  readonly name: string;
  /** What it hooks, such as tp_btf/mm_filemap_get_pages. */
  readonly hook: string;
}

export interface AttachedProbe extends Probe {
  readonly attached: true;
  readonly cause?: undefined;
  readonly reason?: undefined;
  readonly optional?: undefined;
}

export interface DetachedProbe extends Probe {
  readonly attached: false;
  readonly cause: ProbeCause;
  /** The same at length, for people. */
  readonly reason: string;
  /** What it counts can do without it: it is not missed. */
  readonly optional?: true;
}

export type ProbeStatus = AttachedProbe | DetachedProbe;

export interface TargetProcess {
  /** Process id as the sidecar sees it (its own pid namespace). */
  readonly pid: number;
  /** Process id as the kernel counts it. */
  readonly tgid: number;
  readonly command: string;
  /** Node id under which it is counted. */
  readonly nodeId: string;
}

/** How long the sidecar's programs ran since the start, in the windows in which that was measured. */
export type OwnCost =
  | { readonly runNs: number; readonly sampledMs: number }
  /** Why it cannot be had. */
  | { readonly reason: string };

/** What outlives the sidecar. */
export interface PinStatus {
  readonly path: string;
  /** Why nothing does; undefined where all does that can. */
  readonly reason?: string;
  /** Programs that count nothing while the sidecar is away, and why. */
  readonly notPinned: readonly string[];
  /** How long nothing was counted before the start, because nobody had read it for `kernel.orphan_timeout`. */
  readonly gapMs: number;
}

export interface KernelStatus {
  /** `tracing`, or `none` where nothing can be measured. */
  readonly tier: string;
  readonly probes: readonly ProbeStatus[];
  /** Events that a probe could not count, since the start. */
  readonly eventsMissed: number;
  readonly ownCost: OwnCost;
  readonly targets: readonly TargetProcess[];
  /** Node ids whose processes run and are not counted, since no more can be told apart. */
  readonly refused: readonly string[];
  /** Absent where nothing is to outlive the sidecar. */
  readonly pins?: PinStatus | undefined;
}

/** Points by what became of them; collected = the sum of the others but `resent` and `unstored`. */
export interface PointCounts {
  readonly collected: number;
  readonly written: number;
  readonly rejected: number;
  readonly coalesced: number;
  readonly dropped: number;
  readonly queued: number;
  readonly inFlight: number;
  /** Acknowledged points that were sent again after a lost connection; not counted twice in `written`. */
  readonly resent: number;
  /** Acknowledged points that the audit did not find stored, and that were sent again. */
  readonly unstored: number;
}

export interface SchemaStatus {
  /** `unknown` until the server was asked, and again after every lost connection. */
  readonly state: "unknown" | "ready" | "conflict";
  /** What differs, one line each, where the state is `conflict`. */
  readonly diff: readonly string[];
}

/** Whether the wall clock may be trusted with the timestamps of rows. */
export interface ClockStatus {
  /** `unverified` until BanyanDB was asked; `held`: nothing is written, for `reason`. */
  readonly state: "unverified" | "sane" | "held";
  readonly reason: string | undefined;
}

/** Observations in buckets; the last count is of those above all bounds. */
export interface HistogramStatus {
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  /** One more than there are bounds; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Counts by name, each possible name present. */
export type CountsByName = Readonly<Record<string, number>>;

export interface DeliveryStatus {
  readonly sink: { readonly address: string; readonly version: string | undefined };
  readonly points: PointCounts;
  /** `points.rejected` by reason. */
  readonly rejectedBy: CountsByName;
  /** `points.dropped` by reason. */
  readonly droppedBy: CountsByName;
  /** Streams of the write call by how they ended: gRPC code name → count. */
  readonly streams: Readonly<Record<string, number>>;
  readonly queueBytes: number;
  readonly queueMaxBytes: number;
  /** Age of the oldest tick that was never acknowledged, in milliseconds; 0 where there is none. */
  readonly oldestUnsentMs: number;
  readonly lastWrittenTimestampMs: number | undefined;
  /** Time since BanyanDB last acknowledged a point, in milliseconds of the monotonic clock. */
  readonly lastWrittenAgeMs: number | undefined;
  /** Encoded bytes of points that were acknowledged, those that were sent again included. */
  readonly bytesWritten: number;
  /** New channels by why they were opened. */
  readonly reconnects: CountsByName;
  /** How long nothing is tried, in milliseconds; 0 where the way is free. */
  readonly backoffMs: number;
  /** Duration of write streams, in seconds. */
  readonly writeSeconds: HistogramStatus;
  /** Points per write stream. */
  readonly batchPoints: HistogramStatus;
  readonly clock: ClockStatus;
  /** The current trouble: gRPC code or status name, text, and for how long; undefined when all is well. */
  readonly trouble: { readonly code: string; readonly message: string; readonly ageMs: number } | undefined;
  readonly schema: SchemaStatus;
}

export interface SidecarStatus {
  readonly version: string;
  readonly startedAtMs: number;
  readonly intervalMs: number;
  readonly nowMs: number;
  /** Since the start, in milliseconds of the monotonic clock, as all ages are. */
  readonly uptimeMs: number;
  readonly lastTickMs: number | undefined;
  readonly lastTickAgeMs: number | undefined;
  /** What was lost in the last 10 intervals. */
  readonly recent: { readonly eventsMissed: number; readonly rejected: number; readonly dropped: number };
  /** Of the sidecar's own rows. */
  readonly identity: Readonly<Record<string, string>>;
  readonly kernel: KernelStatus;
  readonly delivery: DeliveryStatus | undefined;
}
