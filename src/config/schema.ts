/**
 * Every option of the sidecar, declared once: file, environment, flags, help, `print-config` and the test of
 * configs/default.yaml are derived from this table.
 */
import { LATENCY_MODES, type LatencyMode, TIER_NAMES, type TierChoice } from "./config.js";
import {
  CGROUP_PATH,
  CREDENTIAL,
  duration,
  ENDPOINTS,
  FILE_NAME,
  FILE_PATH,
  type Format,
  GROUP_NAME,
  type LabelSet,
  LABELS,
  LISTEN,
  oneOf,
  REGULAR_EXPRESSION,
  size,
  TEXT,
  wholeNumber,
  YES_OR_NO,
} from "./formats.js";

export interface Setting<T> {
  readonly doc: string;
  readonly format: Format<NonNullable<T>>;
  /** null: not set, which means what `absence` says. */
  readonly default: T;
  readonly absence?: string;
  /** A secret: never shown, and refused on the command line, where every user of the host could read it. */
  readonly sensitive?: true;
}

const DAY_NOTE = "Used only when the group is created";
const MIB = 2 ** 20;
const HOUR_MS = 3_600_000;

/** Largest process id of a 64-bit kernel: PID_MAX_LIMIT of include/linux/threads.h (Linux 6.12). */
const PID_MAX = 2 ** 22;

const node = (what: string): Setting<string> => ({
  doc: `${what} of the watched BanyanDB, a tag of every row`,
  format: TEXT,
  default: "n/a",
});

/** Keys as they are written in the file, sections joined by a dot; beside them the file may have a list `targets`. */
export const SETTINGS = {
  interval: {
    doc: "Time between two read-outs of the kernel counters, and so between two rows of a series",
    format: duration(10, 60_000),
    default: 10_000,
  } satisfies Setting<number>,

  "node.id": {
    doc: "Unique identity of the watched BanyanDB, the first tag of every row; {hostname} is the host name of its process",
    format: TEXT,
    default: null,
    absence: "the host name with :17912, the gRPC port of BanyanDB",
  } as Setting<string | null>,
  "node.cluster": node("Cluster"),
  "node.role": node("Role (such as standalone, data, liaison)"),
  "node.type": node("Storage tier (such as hot, warm, cold)"),

  "target.name": {
    doc: "Base name of the executable whose processes are watched",
    format: FILE_NAME,
    default: "banyand",
  } satisfies Setting<string>,
  "target.command": {
    doc: "Watch the processes whose whole command line matches, instead of target.name",
    format: REGULAR_EXPRESSION,
    default: null,
    absence: "target.name decides",
  } as Setting<string | null>,
  "target.cgroup": {
    doc: "Watch the processes in this cgroup and below, instead of target.command and target.name",
    format: CGROUP_PATH,
    default: null,
    absence: "target.command or target.name decides",
  } as Setting<string | null>,
  "target.pid": {
    doc: "Watch this one process, instead of all the above",
    format: wholeNumber(1, PID_MAX),
    default: null,
    absence: "target.cgroup, target.command or target.name decides",
  } as Setting<number | null>,

  "kernel.tier": {
    doc: "How reads are seen: auto takes the best that this kernel offers, a tier takes that one or none",
    format: oneOf("auto", ...TIER_NAMES),
    default: "auto",
  } as Setting<TierChoice>,
  "kernel.latency": {
    doc: "Measure how long reads take: off, sampled (in one interval of six; between them nothing is attached for it) or always",
    format: oneOf(...LATENCY_MODES),
    default: "sampled",
  } as Setting<LatencyMode>,
  "kernel.latency_buckets": {
    doc: "Write the buckets that the quantiles come from too (measure read_latency_bucket), for heat maps",
    format: YES_OR_NO,
    default: false,
  } as Setting<boolean>,
  "kernel.syscall_programs": {
    doc: "Where the kernel has neither trampolines nor kprobes, see fadvise calls and read latency by syscall tracepoints, which slow every syscall of the machine",
    format: YES_OR_NO,
    default: false,
  } as Setting<boolean>,
  "kernel.allow_degraded": {
    doc: "Start even where nothing can be measured, and say so in /health",
    format: YES_OR_NO,
    default: false,
  } as Setting<boolean>,

  "kernel.pin_path": {
    doc:
      "Directory below a BPF file system (such as /sys/fs/bpf/banyandb-ebpf-sidecar) where programs, counts and a " +
      "journal outlive the sidecar, so that no restart loses a count; one for each sidecar",
    format: FILE_PATH,
    default: null,
    absence: "what is not delivered ends with the sidecar, and nothing is counted while it is away",
  } as Setting<string | null>,
  "kernel.orphan_timeout": {
    doc: "Time after which pinned programs stop counting when no sidecar reads them; goes with kernel.pin_path",
    format: duration(2 * 60_000, 24 * HOUR_MS),
    default: 600_000,
  } satisfies Setting<number>,

  "banyandb.endpoints": {
    doc: "gRPC addresses of BanyanDB; one is used at a time, the first one by chance, another after a failure",
    format: ENDPOINTS,
    default: ["127.0.0.1:17912"],
  } as Setting<readonly string[]>,
  "banyandb.group": {
    doc: "Measure group that the rows are written to; created where it is missing, never changed where it exists",
    format: GROUP_NAME,
    default: "ebpf",
  } satisfies Setting<string>,
  "banyandb.ttl_days": {
    doc: `Days after which BanyanDB removes the rows. ${DAY_NOTE}`,
    format: wholeNumber(1, 3650),
    default: 7,
  } satisfies Setting<number>,
  "banyandb.segment_days": {
    doc: `Days that one segment of the group spans, at most banyandb.ttl_days. ${DAY_NOTE}`,
    format: wholeNumber(1, 365),
    default: 1,
  } satisfies Setting<number>,
  "banyandb.shards": {
    doc: `Shards of the group. ${DAY_NOTE}`,
    format: wholeNumber(1, 64),
    default: 1,
  } satisfies Setting<number>,
  "banyandb.username": {
    doc: "User name for BanyanDB's basic authentication; goes with banyandb.password or banyandb.password_file",
    format: CREDENTIAL,
    default: null,
    absence: "no authentication",
  } as Setting<string | null>,
  "banyandb.password": {
    doc: "Password of banyandb.username; secret, so not to be given as a flag, nor in a file that others can read",
    format: CREDENTIAL,
    default: null,
    absence: "banyandb.password_file decides",
    sensitive: true,
  } as Setting<string | null>,
  "banyandb.password_file": {
    doc: "File with the password, instead of banyandb.password; nobody but its owner may read it; read again when it changes",
    format: FILE_PATH,
    default: null,
    absence: "no authentication, unless banyandb.password is set",
  } as Setting<string | null>,
  "banyandb.tls.enabled": {
    doc: "Encrypt the connection and check the server's certificate",
    format: YES_OR_NO,
    default: false,
  } as Setting<boolean>,
  "banyandb.tls.ca_file": {
    doc: "Authorities that may have signed that certificate, in PEM; read again when the file changes",
    format: FILE_PATH,
    default: null,
    absence: "the authorities of the system",
  } as Setting<string | null>,
  "banyandb.tls.server_name": {
    doc: "Name that the certificate must be for",
    format: TEXT,
    default: null,
    absence: "the host of the endpoint",
  } as Setting<string | null>,

  "queue.max_bytes": {
    doc: "Hard bound of the memory that holds rows for delivery; beyond it neighbouring rows are merged",
    format: size(MIB, 1024 * MIB),
    default: 32 * MIB,
  } satisfies Setting<number>,

  "queue.max_age": {
    doc: "Age of the oldest part of a row that waits for delivery from which it is given up, and counted as dropped",
    format: duration(HOUR_MS, 3650 * 24 * HOUR_MS),
    default: null,
    absence: "banyandb.ttl_days, since BanyanDB would remove an older row at once",
  } as Setting<number | null>,

  "delivery.audit": {
    doc: "Read rows back before they are forgotten, and send again what was acknowledged but is not stored",
    format: YES_OR_NO,
    default: false,
  } as Setting<boolean>,

  "http.listen": {
    doc: "Address of /livez, /readyz, /health and /metrics",
    format: LISTEN,
    default: { host: "127.0.0.1", port: 8080 },
  } as Setting<{ host: string; port: number } | "off">,
  "http.tls.cert_file": {
    doc: "Certificate of the endpoint, its own first, in PEM; goes with http.tls.key_file; read again when it changes",
    format: FILE_PATH,
    default: null,
    absence: "plain HTTP",
  } as Setting<string | null>,
  "http.tls.key_file": {
    doc: "Its private key, in PEM; nobody but its owner may read it; read again when it changes",
    format: FILE_PATH,
    default: null,
    absence: "plain HTTP",
  } as Setting<string | null>,
  "http.metrics_labels": {
    doc: "Labels of every sample of /metrics beside those of node, such as pod_name=banyandb-0,container_name=data",
    format: LABELS,
    default: null,
    absence: "none; whoever scrapes may add them",
  } as Setting<LabelSet | null>,

  "log.level": {
    doc: "Least severe log lines that are written",
    format: oneOf("error", "warn", "info", "debug"),
    default: "info",
  } as Setting<"error" | "warn" | "info" | "debug">,
};

export type SettingKey = keyof typeof SETTINGS;
export type SettingValue<K extends SettingKey> = (typeof SETTINGS)[K]["default"];

/** All keys in the order of declaration. */
export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

const ENVIRONMENT_PREFIX = "BANYANDB_EBPF_";

/** Name of a key in the environment: `queue.max_bytes` is BANYANDB_EBPF_QUEUE_MAX_BYTES. */
export function environmentName(key: SettingKey): string {
  return ENVIRONMENT_PREFIX + key.replaceAll(".", "_").toUpperCase();
}

/** Name of a key as a flag, without the dashes in front: `queue.max_bytes` is queue-max-bytes. */
export function flagName(key: SettingKey): string {
  return key.replaceAll(/[._]/g, "-");
}

/**
 * Whether a variable looks like one of ours. Kubernetes adds variables for every Service of the namespace,
 * and those of one called banyandb-ebpf begin alike
 * (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
 */
export function claimsToBeOurs(variable: string): boolean {
  return (
    variable.startsWith(ENVIRONMENT_PREFIX) &&
    !/_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(
      variable,
    )
  );
}

/** A setting without its value type: for code that treats all settings alike. */
export type AnySetting = Omit<Setting<unknown>, "format"> & { readonly format: Format<unknown> };

export function settingOf(key: SettingKey): AnySetting {
  return SETTINGS[key];
}

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}
