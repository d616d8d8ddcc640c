/** From facts about the kernel to what is to be loaded. Pure. */
import type { Tier, TierChoice } from "../config/config.js";
import type { ProbeCause } from "../model/status.js";
import type { Answer, HookFact, KernelFacts } from "./addon.js";

export interface Choice {
  readonly tier: Tier | "none";
  /** Programs to load and attach. */
  readonly programs: readonly string[];
  /** Programs to load, and to attach where the others turn out to lose events. */
  readonly spare: readonly string[];
  /** Whether the spare programs count from the beginning. */
  readonly useRecords: boolean;
  /** Why programs are left out, or why there is no tier at all; by program name, or `kernel`. */
  readonly reasons: ReadonlyMap<string, string>;
}

/** Programs of every tier that has programs. */
export const COMMON_PROGRAMS = [
  "on_delete",
  "on_exec",
  "on_exit",
  "list_tasks",
  "on_direct_reclaim_begin",
  "on_direct_reclaim_end",
  "on_memcg_reclaim_begin",
  "on_memcg_reclaim_end",
  "on_shrink_inactive",
] as const;
/** Classic tracepoints in place of raw ones; the first keeps what their records lack. */
const RECORDS = ["on_add_resolve", "on_add_record", "on_get_pages_record"] as const;
/** The function that does buffered reads, since 5.12 and before. */
const READ_EXITS = ["on_filemap_read_exit", "on_buffered_read_exit"] as const;
const READ_ENTRIES = ["on_filemap_read_entry", "on_buffered_read_entry"] as const;
/** The function by which sendfile and splice read, where it is another one (since 6.5). */
const SPLICE_EXIT = "on_splice_exit";
const SPLICE_ENTRY = "on_splice_entry";

/** Begin and end of direct reads: by tracepoints since 6.6, before by functions. */
const DIRECT_TRACEPOINTS = ["on_direct_begin", "on_direct_queued", "on_direct_complete"] as const;
const DIRECT_FENTRY = ["on_direct_begin_fentry", "on_direct_complete_fentry"] as const;
const DIRECT_KPROBE = ["on_direct_begin_kprobe", "on_direct_complete_kprobe"] as const;

const DIRECT: readonly string[] = [...DIRECT_TRACEPOINTS, ...DIRECT_FENTRY, ...DIRECT_KPROBE];

const READERS = ["on_get_pages", "on_get_pages_record", ...READ_EXITS, ...READ_ENTRIES];
const ADDERS = ["on_add", "on_add_record"];
/** Calls of fadvise by a trampoline, a kprobe, or the end of every syscall; each alone. */
export const HINT_CALL_PROGRAMS = [
  "count_hint_fexit",
  "count_hint_kretprobe",
  "count_hint_sys_exit",
] as const;
const RECLAIM = ["direct", "memcg"].flatMap((kind) => [`on_${kind}_reclaim_begin`, `on_${kind}_reclaim_end`]);

/** What programs count: one of each list must be attached, else the counters are absent, not 0. */
const COUNTED_BY: readonly {
  readonly oneOfEach: readonly (readonly string[])[];
  readonly counters: readonly string[];
}[] = [
  { oneOfEach: [READERS], counters: ["reads", "pages_requested", "read_bytes"] },
  { oneOfEach: [READERS, ADDERS], counters: ["reads_hit", "pages_hit"] },
  {
    oneOfEach: [ADDERS],
    counters: [
      "reads_missed",
      ...["missed", "readahead", "prefetched", "faulted", "written", "added"].map((kind) => `pages_${kind}`),
    ],
  },
  {
    oneOfEach: [["on_delete"]],
    counters: ["kswapd", "direct", "foreign", "hint", "truncate", "other"].map(
      (cause) => `pages_evicted_${cause}`,
    ),
  },
  { oneOfEach: [ADDERS, ["on_delete"]], counters: ["pages_refaulted", "pages_affected"] },
  { oneOfEach: [READERS, ADDERS, ["on_delete"]], counters: ["pages_used", "pages_late", "pages_wasted"] },
  ...[DIRECT_TRACEPOINTS, DIRECT_FENTRY, DIRECT_KPROBE].map((programs) => ({
    oneOfEach: programs.map((program) => [program]),
    counters: ["direct_bytes"],
  })),
  { oneOfEach: [HINT_CALL_PROGRAMS], counters: ["calls", "errors", "pages_asked"] },
  { oneOfEach: [HINT_CALL_PROGRAMS, ADDERS, ["on_delete"]], counters: ["calls_without_effect"] },
  { oneOfEach: [["on_exit"]], counters: ["storage_read_bytes", "storage_write_bytes"] },
  { oneOfEach: [["on_direct_reclaim_begin"]], counters: ["direct_reclaims", "direct_reclaim_tasks"] },
  { oneOfEach: [["on_memcg_reclaim_begin"]], counters: ["memcg_reclaims"] },
  { oneOfEach: RECLAIM.map((program) => [program]), counters: ["reclaim_stall_us"] },
  { oneOfEach: [["on_shrink_inactive"]], counters: ["pages_scanned", "pages_reclaimed"] },
];

/** Programs that every tier wants and this kernel does not have; `reasons` says why. */
export function missingPrograms({ programs, reasons }: Choice): readonly string[] {
  const wanted: readonly string[] = programs.some((program) => DIRECT.includes(program))
    ? COMMON_PROGRAMS
    : [...COMMON_PROGRAMS, ...DIRECT_TRACEPOINTS];
  return wanted.filter((program) => reasons.has(program));
}

/** Names of the counters that can be had with these programs attached. */
export function availableCounters(attached: ReadonlySet<string>): ReadonlySet<string> {
  return new Set(
    COUNTED_BY.filter(({ oneOfEach }) =>
      oneOfEach.every((some) => some.some((p) => attached.has(p))),
    ).flatMap(({ counters }) => counters),
  );
}

/** The programs of one tier, or why it cannot be had. */
type TierPlan = Pick<Choice, "programs" | "spare" | "useRecords"> | string;

/** Processors whose registers and syscall numbers the programs know, as uname(2) names them. */
const MACHINES = ["x86_64", "aarch64"];

/** Tiers that read the kernel's events, the best first. */
const TIERS = ["tracing", "fentry", "kprobe", "partial"] as const;

/**
 * The programs to load on a kernel with these facts. What loses nothing is decided by what was probed, never by a
 * version.
 */
export function choosePrograms(facts: KernelFacts, wanted: TierChoice): Choice {
  const none = (reason: string): Choice => ({
    ...EMPTY,
    tier: "none",
    reasons: new Map([["kernel", reason]]),
  });

  if (wanted === "procfs") return { ...EMPTY, tier: "procfs", reasons: new Map() };
  if (!MACHINES.includes(facts.machine))
    return none(`${facts.machine} is not supported, only ${MACHINES.join(" and ")}`);
  if (facts.btf === "no") return none("the kernel has no BTF (/sys/kernel/btf/vmlinux)");
  if (facts.permission === "no") return none(facts.permissionReason);

  const reasons = reasonsAgainst(facts);
  const failures: string[] = [];
  for (const tier of wanted === "auto" ? TIERS : [wanted]) {
    const plan = planTier(tier, facts, reasons, wanted === "auto");
    if (typeof plan !== "string") {
      const has = (program: string) => !reasons.has(program);
      const programs = [...plan.programs, ...COMMON_PROGRAMS.filter(has), ...chooseDirect(facts, reasons)];
      return { ...plan, tier, programs, reasons };
    }
    failures.push(`${tier}: ${plan}`);
  }
  return none(failures.join("; "));
}

/** Why programs cannot be had, by name. An unknown answer is no reason: loading will tell. */
export function reasonsAgainst({ hooks }: KernelFacts): ReadonlyMap<string, string> {
  return new Map(
    hooks.filter(({ exists }) => exists === "no").map(({ program, reason }) => [program, reason]),
  );
}

/** Why programs for which there are reasons cannot be had: refused where one of their hooks is, else absent. */
export function causeOf({ hooks }: KernelFacts, isWanted: (hook: HookFact) => boolean): ProbeCause {
  return hooks.some((hook) => hook.refused && isWanted(hook)) ? "refused" : "absent";
}

const EMPTY = { programs: [], spare: [], useRecords: false };

function planTier(
  tier: (typeof TIERS)[number],
  facts: KernelFacts,
  reasons: ReadonlyMap<string, string>,
  auto: boolean,
): TierPlan {
  switch (tier) {
    case "tracing":
      return planTracing(facts, reasons);
    case "fentry":
      // A trampoline on a preemptible kernel loses up to 15 % of the events (measured); never by our own choice.
      if (auto && preemptible(facts) !== "no")
        return "the kernel may be preempted, and trampolines lose events then";
      return planFunction(READ_EXITS, SPLICE_EXIT, reasons);
    case "kprobe":
      return planFunction(READ_ENTRIES, SPLICE_ENTRY, reasons);
    case "partial":
      return reasons.get("on_add") ?? { programs: ["on_add"], spare: [], useRecords: false };
  }
}

function planTracing(facts: KernelFacts, reasons: ReadonlyMap<string, string>): TierPlan {
  const raw = reasons.get("on_get_pages") ?? reasons.get("on_add");
  if (raw !== undefined) return `needs kernel 6.12 or later (${raw})`;
  const noRecords = RECORDS.map((program) => reasons.get(program)).find((reason) => reason !== undefined);
  const loses = facts.preemptibleRawTracepoints === "yes" && preemptible(facts) !== "no";
  if (noRecords !== undefined) return { programs: ["on_get_pages", "on_add"], spare: [], useRecords: false };
  if (loses) return { programs: [], spare: RECORDS, useRecords: true };
  // Where the self-test could not tell, the spare programs wait for the first lost event.
  const spare = facts.preemptibleRawTracepoints === "no" ? [] : RECORDS;
  return { programs: ["on_get_pages", "on_add"], spare, useRecords: false };
}

/** The one of these that this kernel has, with the adds. */
function planFunction(
  programs: readonly string[],
  splice: string,
  reasons: ReadonlyMap<string, string>,
): TierPlan {
  const program = programs.find((candidate) => !reasons.has(candidate));
  if (program === undefined) return programs.map((candidate) => reasons.get(candidate)).join(", ");
  const splices = reasons.has(splice) ? [] : [splice];
  return reasons.get("on_add") ?? { programs: [program, ...splices, "on_add"], spare: [], useRecords: false };
}

/** What counts direct reads: what cannot lose events first. */
function chooseDirect(facts: KernelFacts, reasons: ReadonlyMap<string, string>): readonly string[] {
  const fentry = preemptible(facts) === "no" ? [DIRECT_FENTRY] : [];
  const kinds = [DIRECT_TRACEPOINTS, ...fentry, DIRECT_KPROBE];
  return kinds.find((programs) => programs.every((program) => !reasons.has(program))) ?? [];
}

/** Whether a task can be preempted in the kernel. */
export function preemptible({ preemptMode, version }: KernelFacts): Answer {
  if (preemptMode === "none" || preemptMode === "voluntary") return "no";
  if (preemptMode !== "") return "yes";
  // Without debugfs the build must tell: PREEMPT_DYNAMIC may be anything.
  if (version.includes("PREEMPT_DYNAMIC")) return "unknown";
  return version.includes("PREEMPT") ? "yes" : "no";
}
