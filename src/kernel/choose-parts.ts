/**
 * The programs of the two parts that need a hook of their own, beside those of the tier: how long reads take, and the
 * calls of fadvise. From facts about the kernel; pure.
 */
import type { LatencyMode } from "../config/config.js";
import type { ProbeCause } from "../model/status.js";
import type { KernelFacts } from "./addon.js";
import { causeOf, HINT_CALL_PROGRAMS, preemptible, reasonsAgainst } from "./choose.js";

export type PartChoice =
  | { readonly state: "off" }
  | { readonly state: "programs"; readonly programs: readonly string[] }
  | { readonly state: "absent"; readonly reason: string; readonly cause: ProbeCause };

export interface PartChoices {
  readonly latency: PartChoice;
  readonly hintCalls: PartChoice;
}

export interface PartsWanted {
  readonly latency: LatencyMode;
  /** Whether programs may be on the way of every syscall of the machine. */
  readonly syscallPrograms: boolean;
}

/** One way to have a part: all of its programs, in the order in which they are attached. */
interface Way {
  readonly kind: "trampolines" | "kprobes" | "syscall tracepoints";
  readonly programs: readonly string[];
}

/** The function that does buffered reads, since 5.12 and before, when a trampoline was for once only (bpf/latency.bpf.h). */
const LATENCY_WAYS: readonly Way[] = [
  { kind: "trampolines", programs: ["time_read_fentry", "time_read_fexit"] },
  { kind: "kprobes", programs: ["time_read_kprobe", "time_read_kretprobe"] },
  { kind: "kprobes", programs: ["time_buffered_read_kprobe", "time_buffered_read_kretprobe"] },
];
const LATENCY_BY_SYSCALLS: Way = {
  kind: "syscall tracepoints",
  programs: ["time_read_sys_enter", "time_read_sys_exit"],
};

const [BY_TRAMPOLINE, BY_KPROBE, BY_SYSCALLS] = HINT_CALL_PROGRAMS;
const HINT_CALLS_BY_TRAMPOLINE: Way = { kind: "trampolines", programs: [BY_TRAMPOLINE] };
const HINT_CALLS_BY_KPROBE: Way = { kind: "kprobes", programs: [BY_KPROBE] };
const HINT_CALLS_BY_SYSCALLS: Way = { kind: "syscall tracepoints", programs: [BY_SYSCALLS] };

/** The programs of both parts on a kernel with these facts, or why there are none. */
export function chooseParts(facts: KernelFacts, { latency, syscallPrograms }: PartsWanted): PartChoices {
  // A trampoline on a preemptible kernel loses events (kernel/trace/bpf_trace.c, bpf_prog->active). A read that is not
  // timed is only a sample less; a call is to be counted.
  const hintWays =
    preemptible(facts) === "no"
      ? [HINT_CALLS_BY_TRAMPOLINE, HINT_CALLS_BY_KPROBE]
      : [HINT_CALLS_BY_KPROBE, HINT_CALLS_BY_TRAMPOLINE];
  const choose = (ways: readonly Way[], bySyscalls: Way) =>
    firstPossible(syscallPrograms ? [...ways, bySyscalls] : ways, facts, syscallPrograms);
  return {
    latency: latency === "off" ? { state: "off" } : choose(LATENCY_WAYS, LATENCY_BY_SYSCALLS),
    hintCalls: choose(hintWays, HINT_CALLS_BY_SYSCALLS),
  };
}

function firstPossible(ways: readonly Way[], facts: KernelFacts, syscallPrograms: boolean): PartChoice {
  const reasons = reasonsAgainst(facts);
  const failures = new Map<string, string>();
  for (const { kind, programs } of ways) {
    const reason = programs.map((program) => reasons.get(program)).find((text) => text !== undefined);
    if (reason === undefined) return { state: "programs", programs };
    // Of the two functions the first is the one that kernels of today have.
    if (!failures.has(kind)) failures.set(kind, reason);
  }
  const tried = [...failures].map(([kind, reason]) => `no ${kind}: ${reason}`).join("; ");
  const advice = "kernel.syscall_programs: true takes syscall tracepoints, at a cost for every syscall";
  return {
    state: "absent",
    reason: syscallPrograms ? tried : `${tried}; ${advice}`,
    cause: causeOf(facts, ({ program }) => ways.some(({ programs }) => programs.includes(program))),
  };
}
