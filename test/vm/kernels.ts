/** Which kernels the matrix wants, where Debian keeps them, and what is tried on each. Data and pure choice. */
import type { Architecture, Processor } from "./processors.js";

/**
 * What is tried: `auto` is the tier that the sidecar chooses by itself, `none` expects that tier tracing is
 * refused, with its reason; the others are forced (test/support/kernel.ts knows them). `raw` and `records` are both
 * tier tracing, by the one kind of tracepoints or the other.
 */
export type Tier = "auto" | "raw" | "records" | "fentry" | "kprobe" | "partial" | "procfs" | "none";

/** How the kernel may be preempted: as it is built, or always (the parameter preempt=full). */
export type Preemption = "default" | "full";

/** What one boot of a kernel is for. */
export interface Boot {
  readonly preemption: Preemption;
  readonly tiers: readonly Tier[];
}

/** Oldest first. */
export const SERIES: readonly string[] = ["5.10", "6.1", "6.12", "6.16", "6.17", "6.18"];

/** So many of the newest series are wanted too, whatever their names, as long as they are later than SERIES. */
export const NEWEST = 2;

/** A matrix with fewer kernels says too little. */
export const KERNELS_MIN = 6;

/**
 * Debian's suites with such kernels. 5.10 is in bullseye, which only the security mirror still serves, 6.1 in
 * bookworm, 6.12 in trixie, all later ones in trixie-backports.
 */
export const DEBIAN_SUITES: readonly { readonly name: string; readonly mirror: "main" | "security" }[] = [
  { name: "bullseye-security", mirror: "security" },
  { name: "bookworm", mirror: "main" },
  { name: "bookworm-security", mirror: "security" },
  { name: "trixie", mirror: "main" },
  { name: "trixie-security", mirror: "security" },
  { name: "trixie-backports", mirror: "main" },
];

/** The flavours are those of processors.ts. */
const PACKAGE = /^linux-(image|binary|modules)-((\d+\.\d+)\.\d+\S*-(cloud-amd64|cloud-arm64|arm64-16k))$/;

/** A version that can be downloaded. */
export interface ServedKernel {
  /** Such as 6.12. */
  readonly series: string;
  /** As `uname -r` says, such as 6.12.107+deb13-cloud-amd64. */
  readonly version: string;
  readonly packages: readonly string[];
  /** Without them it can boot, but sees no disk. */
  readonly hasModules: boolean;
}

const inOrder = new Intl.Collator("en", { numeric: true });

/**
 * The newest version of each series among these package names, oldest series first. Up to 6.18 one package
 * holds a kernel; from 6.19 on it is split in two, and of some series only the half without modules is still
 * served: that is taken where there is no whole version.
 */
export function newestOfEachSeries(
  packageNames: readonly string[],
  flavour: Processor["flavour"] = "cloud-amd64",
): ServedKernel[] {
  const names = new Set(packageNames);
  const served = new Map<string, ServedKernel>();
  // In this order binaries come before images and modules.
  for (const name of [...names].sort(inOrder.compare)) {
    const [, kind, version = "", series = "", its] = PACKAGE.exec(name) ?? [];
    if (its !== flavour) continue;
    const binary = `linux-binary-${version}`;
    if (kind === "binary") served.set(series, { series, version, packages: [name], hasModules: false });
    if (kind === "image" && names.has(binary)) continue;
    if (kind === "image") served.set(series, { series, version, packages: [name], hasModules: true });
    if (kind === "modules")
      served.set(series, { series, version, packages: [binary, name], hasModules: true });
  }
  return [...served.values()].sort((a, b) => inOrder.compare(a.series, b.series));
}

/**
 * The series of the matrix: those wanted by name, served or not; of the later ones the newest, and all that
 * are served without modules.
 */
export function wantedSeries(served: readonly ServedKernel[]): string[] {
  const last = SERIES.at(-1) ?? "";
  const later = served.filter(({ series }) => inOrder.compare(series, last) > 0);
  const newest = later.filter(({ hasModules }) => hasModules).slice(-NEWEST);
  return [
    ...SERIES,
    ...later.filter((one) => !one.hasModules || newest.includes(one)).map(({ series }) => series),
  ];
}

/** What is tried on a kernel. */
export function bootsOf(
  kernel: Pick<ServedKernel, "series" | "hasModules">,
  architecture: Architecture = "amd64",
): Boot[] {
  const boots = bootsOnAmd64(kernel);
  if (architecture === "amd64") return boots;
  // Debian builds these without a mode of preemption to choose at boot. Trampolines came with 6.4 (CONFIG_
  // DYNAMIC_FTRACE_WITH_DIRECT_CALLS of arm64).
  const hasFentry = inOrder.compare(kernel.series, "6.4") >= 0;
  return boots
    .filter(({ preemption }) => preemption === "default")
    .map((one) => ({ ...one, tiers: one.tiers.filter((tier) => hasFentry || tier !== "fentry") }));
}

function bootsOnAmd64({ series, hasModules }: Pick<ServedKernel, "series" | "hasModules">): Boot[] {
  const since = (other: string) => inOrder.compare(series, other) >= 0;
  // What these see without programs on reads is the storage's business, which a shared folder has not.
  const rest: readonly Tier[] = hasModules ? ["partial", "procfs"] : [];
  if (!since("6.12")) {
    const boots: Boot[] = [
      { preemption: "default", tiers: ["none", "auto", "fentry", "kprobe", ...rest] },
      { preemption: "full", tiers: ["auto"] },
    ];
    // The mode can be chosen at boot since 5.12.
    return since("5.12") ? boots : boots.slice(0, 1);
  }
  // By itself the sidecar takes raw tracepoints up to 6.19 and records from 7.0 on. Trampolines lose events where
  // the kernel may be preempted, so fentry is never forced there: the mode lazy came with 6.13.
  const tracing: Tier = since("7.0") ? "raw" : "records";
  const forced: readonly Tier[] = series === "6.12" ? [tracing, "fentry", "kprobe"] : [tracing, "kprobe"];
  return [
    { preemption: "default", tiers: ["auto", ...forced, ...rest] },
    { preemption: "full", tiers: ["auto", "kprobe"] },
  ];
}

const suites = (...names: string[]) => names.map((name) => `dist/test/${name}.test.js`).join(" ");

/** All suites of the kernel side. */
export const ALL_SUITES = "dist/test/kernel/*.test.js";
/** Those that hold what is counted against a truth; the others are about loading, pins and the life of processes. */
export const TRUTH_SUITES = suites(
  ...["reads", "threads", "storage", "rows", "latency", "hints", "evictions", "pressure", "components"].map(
    (name) => `kernel/${name}`,
  ),
);
/** Where ext4 has folios of more than one page for files: since 6.16. */
const LARGE_FOLIOS = suites("kernel/large-folios");
/** Tells the facts about the kernel, for a recording. */
export const FACTS = suites("vm/guest/kernel-facts");
/** Tells what our programs cost on a hot read. */
export const COSTS = suites("vm/guest/program-costs");
/** What only a machine of its own can be brought to, or has. */
const DIRECT_RECLAIM = suites("vm/guest/direct-reclaim");
const DAX = suites("vm/guest/dax");
/** Where there is no cachestat(2), which came with 6.5 and is the truth of most. */
const KNOWN_ANSWERS = suites("vm/guest/known-answers");
const WITHOUT_CACHESTAT = `${KNOWN_ANSWERS} ${suites("kernel/latency")}`;

/**
 * Compiled tests in a guest, relative to the package. The environment variable SIDECAR_TIER tells them the tier.
 * @param whole whether all suites are to run, and not those about a truth alone
 */
export function suiteOf(kernel: ServedKernel, tier: Tier, whole: boolean): string {
  const { series, hasModules, version } = kernel;
  if (tier === "none") return suites("vm/guest/refusal");
  if (tier === "raw") return suites("vm/guest/raw-losses");
  // Forced there, its adds come by the raw tracepoint, which can be preempted: many readers lose some, and it is told.
  if (tier === "kprobe" && hasModules && inOrder.compare(series, "7.0") >= 0)
    return `${suites("vm/guest/raw-losses")} ${KNOWN_ANSWERS}`;
  if (tier === "partial" || tier === "procfs") return suites(`kernel/tiers/${tier}`);
  // Only a kernel for x86-64 can be told to take memory for persistent.
  const ownMachine = version.includes("arm64") ? DIRECT_RECLAIM : `${DIRECT_RECLAIM} ${DAX}`;
  if (inOrder.compare(series, "6.5") < 0)
    return tier === "auto" ? `${WITHOUT_CACHESTAT} ${ownMachine}` : KNOWN_ANSWERS;
  // In a shared folder no storage accounts for the reads, which the other suites compare too.
  if (!hasModules) return suites("vm/guest/shared-folder");
  if (tier !== "auto") return suites("kernel/reads");
  if (whole) return `${ALL_SUITES} ${ownMachine}`;
  const largeFolios = inOrder.compare(series, "6.16") < 0 ? [] : [LARGE_FOLIOS];
  return [TRUTH_SUITES, ...largeFolios, ownMachine].join(" ");
}

/** Whether all suites run in this boot: on the newest kernel, as it is built. */
export function isWhole(series: string, newest: string, { preemption }: Boot): boolean {
  return preemption === "default" && series === newest;
}

/** Parameters of the kernel that only its series needs. */
export function parametersOf(series: string): string[] {
  // The guests have no cmpxchg16b (see processors.ts), without which 6.19 and later can allocate no task storage, unless the
  // slabs that it comes from are debugged. F, consistency checks, is the cheapest way to have them so.
  return inOrder.compare(series, "6.19") < 0 ? [] : ["slab_debug=F,kmalloc-*"];
}
