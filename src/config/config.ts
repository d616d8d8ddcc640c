/** The configuration as the rest of the program sees it: complete, validated, frozen. */
export interface Config {
  /** Time between two read-outs of the kernel counters. */
  readonly intervalMs: number;
  /** Whose rows the sidecar's own and the node's are: the first target's, `{hostname}` being this host's. */
  readonly node: NodeConfig;
  /** At least one, at most `IDENTITIES_MAX`; a process belongs to the first one that selects it. */
  readonly targets: readonly WatchedTarget[];
  readonly kernel: KernelConfig;
  readonly banyandb: BanyandbConfig;
  readonly queue: QueueConfig;
  readonly delivery: DeliveryConfig;
  readonly http: HttpConfig;
  readonly log: { readonly level: "error" | "warn" | "info" | "debug" };
}

export interface WatchedTarget {
  readonly select: TargetConfig;
  readonly node: NodeConfig;
}

/** Identity of a watched BanyanDB; the values of the identity tags of its rows. Never empty. */
export interface NodeConfig {
  readonly id: string;
  readonly cluster: string;
  readonly role: string;
  readonly type: string;
}

/** Which processes are watched. `pid` wins over `cgroup`, `cgroup` over `command`, `command` over `name`. */
export interface TargetConfig {
  /** Base name of the executable. */
  readonly name: string;
  /** Regular expression over the whole command line; undefined means not used. */
  readonly command: string | undefined;
  /** Path of a cgroup, `*` for any part of a name: all processes in it and below; undefined means not used. */
  readonly cgroup: string | undefined;
  /** Process id in the sidecar's pid namespace; undefined means not used. */
  readonly pid: number | undefined;
}

/** Ways to see the target's reads, the best first; docs/ARCHITECTURE.md says which kernel has which. */
export const TIER_NAMES = ["tracing", "fentry", "kprobe", "partial", "procfs"] as const;
export type Tier = (typeof TIER_NAMES)[number];
export type TierChoice = "auto" | Tier;

/** Whether the time that reads take is measured: never, in one interval of six, or in all. */
export const LATENCY_MODES = ["off", "sampled", "always"] as const;
export type LatencyMode = (typeof LATENCY_MODES)[number];

export interface KernelConfig {
  readonly tier: TierChoice;
  readonly latency: LatencyMode;
  /** Whether the measure read_latency_bucket is written. */
  readonly latencyBuckets: boolean;
  /** Whether programs may be on the way of every syscall, where there is no other. */
  readonly syscallPrograms: boolean;
  /** Start even where nothing can be measured, and say so in /health. */
  readonly allowDegraded: boolean;
  /** Directory of a BPF file system where counts outlive the sidecar; undefined means that they do not. */
  readonly pinPath: string | undefined;
  /** Time after which programs that nobody reads stop counting. */
  readonly orphanTimeoutMs: number;
}

export interface BanyandbConfig {
  /** host:port each; one is used at a time. */
  readonly endpoints: readonly string[];
  readonly group: string;
  readonly ttlDays: number;
  readonly segmentDays: number;
  readonly shards: number;
  readonly username: string | undefined;
  /** Secret; from the file, where there is one. */
  readonly password: string | undefined;
  /** Read again whenever it changes; undefined means not used. */
  readonly passwordFile?: string | undefined;
  /** undefined means plain text. */
  readonly tls?: TlsConfig | undefined;
}

export interface TlsConfig {
  /** Read again whenever it changes; undefined means the authorities of the system. */
  readonly caFile: string | undefined;
  /** Content of that file, PEM. */
  readonly ca: string | undefined;
  /** Name that the certificate must have; undefined means the host of the endpoint. */
  readonly serverName: string | undefined;
}

export interface QueueConfig {
  /** Hard bound of everything that is held for delivery, in bytes. */
  readonly maxBytes: number;
  /** Age of the oldest part of a row, in milliseconds, from which it is given up. */
  readonly maxAgeMs: number;
}

export interface DeliveryConfig {
  /** Read back what was acknowledged before it is forgotten. */
  readonly audit: boolean;
}

export interface HttpConfig {
  /** host:port; undefined switches the endpoint off. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** undefined means plain HTTP. */
  readonly tls: HttpTlsConfig | undefined;
  /** On every sample of /metrics. */
  readonly metricsLabels: Readonly<Record<string, string>>;
}

export interface HttpTlsConfig {
  /** Read again whenever it changes. */
  readonly certFile: string;
  /** Read again whenever it changes. */
  readonly keyFile: string;
  /** Content of that file, PEM. */
  readonly cert: string;
  /** Secret; content of that file, PEM. */
  readonly key: string;
}
