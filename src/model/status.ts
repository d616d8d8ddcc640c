/** What the sidecar knows of itself, as plain data: for /health, /metrics, `check` and the heartbeat row. */

export interface ProbeStatus {
  /** Name of the BPF program. */
  readonly name: string;
  /** What it hooks, such as tp_btf/mm_filemap_get_pages. */
  readonly hook: string;
  readonly attached: boolean;
  /** Why it is not attached. */
  readonly reason?: string;
}

export interface TargetProcess {
  /** Process id as the sidecar sees it (its own pid namespace). */
  readonly pid: number;
  /** Process id as the kernel counts it. */
  readonly tgid: number;
  readonly command: string;
}

export interface KernelStatus {
  /** `tracing`, or `none` where nothing can be measured. */
  readonly tier: string;
  readonly probes: readonly ProbeStatus[];
  /** Events that a probe could not count, since the start. */
  readonly eventsMissed: number;
  readonly targets: readonly TargetProcess[];
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

export interface DeliveryStatus {
  readonly sink: { readonly address: string; readonly version: string | undefined };
  readonly points: PointCounts;
  /** Streams of the write call by how they ended: gRPC code name → count. */
  readonly streams: Readonly<Record<string, number>>;
  readonly queueBytes: number;
  readonly queueMaxBytes: number;
  /** Age of the oldest tick that was never acknowledged, in milliseconds; 0 where there is none. */
  readonly oldestUnsentMs: number;
  readonly lastWrittenTimestampMs: number | undefined;
  /** The current trouble: gRPC code or status name, text, and since when; undefined when all is well. */
  readonly trouble: { readonly code: string; readonly message: string; readonly sinceMs: number } | undefined;
  readonly schema: SchemaStatus;
}

export interface SidecarStatus {
  readonly version: string;
  readonly startedAtMs: number;
  readonly intervalMs: number;
  readonly nowMs: number;
  readonly lastTickMs: number | undefined;
  readonly identity: Readonly<Record<string, string>>;
  readonly kernel: KernelStatus;
  readonly delivery: DeliveryStatus | undefined;
}
