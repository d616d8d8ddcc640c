/** From facts about the kernel to what is to be loaded. Pure. */
import type { KernelFacts } from "./addon.js";

export interface Choice {
  readonly tier: "tracing" | "none";
  /** Programs to load. */
  readonly programs: readonly string[];
  /** Why programs are left out, or why there is no tier at all; by program name, or `kernel`. */
  readonly reasons: ReadonlyMap<string, string>;
}

/** Without these there is nothing to say about reads. */
const TRACING_NEEDS = ["on_get_pages", "on_add"] as const;

/** What a program counts; without the program the counter is absent, not 0. */
const COUNTED_BY: readonly { readonly programs: readonly string[]; readonly counters: readonly string[] }[] =
  [
    { programs: ["on_get_pages"], counters: ["reads", "pages_requested", "read_bytes"] },
    {
      programs: ["on_get_pages", "on_add"],
      counters: ["reads_hit", "reads_missed", "pages_hit", "pages_missed", "pages_readahead"],
    },
    { programs: ["on_add"], counters: ["pages_prefetched", "pages_faulted", "pages_written", "pages_added"] },
    {
      programs: ["on_delete"],
      counters: ["kswapd", "direct", "foreign", "hint", "truncate", "other"].map(
        (cause) => `pages_evicted_${cause}`,
      ),
    },
    { programs: ["on_exit"], counters: ["storage_read_bytes", "storage_write_bytes"] },
    { programs: ["on_direct_reclaim_begin"], counters: ["direct_reclaims", "direct_reclaim_tasks"] },
    { programs: ["on_memcg_reclaim_begin"], counters: ["memcg_reclaims"] },
    {
      programs: ["direct", "memcg"].flatMap((kind) => [`on_${kind}_reclaim_begin`, `on_${kind}_reclaim_end`]),
      counters: ["reclaim_stall_us"],
    },
    { programs: ["on_shrink_inactive"], counters: ["pages_scanned", "pages_reclaimed"] },
  ];

/** The programs to load on a kernel with these facts. */
export function choosePrograms(facts: KernelFacts): Choice {
  const reasons = new Map<string, string>();
  const none = (reason: string): Choice => ({
    tier: "none",
    programs: [],
    reasons: reasons.set("kernel", reason),
  });

  if (facts.machine !== "x86_64") return none(`${facts.machine} is not supported, only x86_64`);
  if (facts.btf === "no") return none("the kernel has no BTF (/sys/kernel/btf/vmlinux)");
  if (facts.permission === "no") return none(facts.permissionReason);
  // An unknown answer is tried: loading will tell.
  for (const hook of facts.hooks) if (hook.exists === "no") reasons.set(hook.program, hook.reason);
  for (const program of TRACING_NEEDS) {
    const reason = reasons.get(program);
    if (reason !== undefined) return none(`tier tracing needs kernel 6.12 or later: ${reason}`);
  }
  const programs = facts.hooks.map(({ program }) => program).filter((program) => !reasons.has(program));
  return { tier: "tracing", programs, reasons };
}

/** Names of the counters that can be had with these programs attached. */
export function availableCounters(attached: ReadonlySet<string>): ReadonlySet<string> {
  return new Set(
    COUNTED_BY.filter(({ programs }) => programs.every((program) => attached.has(program))).flatMap(
      ({ counters }) => counters,
    ),
  );
}
