import { expect } from "chai";
import type { KernelFacts } from "../../../src/kernel/addon.js";
import { chooseParts, type PartChoice } from "../../../src/kernel/choose-parts.js";

const TRAMPOLINES = ["time_read_fentry", "time_read_fexit", "count_hint_fexit"];
const KPROBES = ["time_read_kprobe", "time_read_kretprobe", "count_hint_kretprobe"];
const SYSCALLS = ["time_read_sys_enter", "time_read_sys_exit", "count_hint_sys_exit"];
const BEFORE_5_12 = ["time_buffered_read_kprobe", "time_buffered_read_kretprobe"];

/** A kernel of today that has all but what is missing. */
function facts(missing: readonly string[] = [], changes: Partial<KernelFacts> = {}): KernelFacts {
  const none = new Set([...BEFORE_5_12, ...missing]);
  const hooks = [...TRAMPOLINES, ...KPROBES, ...SYSCALLS, ...BEFORE_5_12].map((program) =>
    none.has(program)
      ? ({ program, hook: "h", exists: "no", reason: `no ${program}` } as const)
      : ({ program, hook: "h", exists: "yes", reason: "" } as const),
  );
  return {
    release: "6.18",
    version: "#1 SMP PREEMPT_DYNAMIC",
    machine: "x86_64",
    possibleCpus: 2,
    pageBytes: 4096,
    btf: "yes",
    permission: "yes",
    permissionReason: "",
    preemptibleRawTracepoints: "no",
    preemptMode: "voluntary",
    hooks,
    ...changes,
  };
}

const programsOf = (part: PartChoice) => (part.state === "programs" ? part.programs : part.state);
const SAMPLED = { latency: "sampled", syscallPrograms: false } as const;
const WITH_SYSCALLS = { latency: "sampled", syscallPrograms: true } as const;

function chosen(kernel: KernelFacts, wanted: Parameters<typeof chooseParts>[1] = SAMPLED) {
  const { latency, hintCalls } = chooseParts(kernel, wanted);
  return [programsOf(latency), programsOf(hintCalls)];
}

describe("choice of the programs for read latency and fadvise calls", () => {
  it("is trampolines where the kernel has them", () => {
    expect(chosen(facts())).to.deep.equal([["time_read_fentry", "time_read_fexit"], ["count_hint_fexit"]]);
  });

  it("counts calls by a kprobe where trampolines lose events, and times reads by trampolines all the same", () => {
    for (const preemptMode of ["full", "lazy", ""])
      expect(chosen(facts([], { preemptMode })), preemptMode).to.deep.equal([
        ["time_read_fentry", "time_read_fexit"],
        ["count_hint_kretprobe"],
      ]);
  });

  it("counts calls by a trampoline that may lose some rather than not at all", () => {
    expect(chosen(facts(KPROBES, { preemptMode: "full" }))[1]).to.deep.equal(["count_hint_fexit"]);
  });

  it("is kprobes where there are no trampolines", () => {
    expect(chosen(facts(TRAMPOLINES))).to.deep.equal([
      ["time_read_kprobe", "time_read_kretprobe"],
      ["count_hint_kretprobe"],
    ]);
  });

  it("is the function of before 5.12 on such a kernel", () => {
    const old = facts(["time_read_fentry", "time_read_fexit", "time_read_kprobe", "time_read_kretprobe"]);
    const hooks = old.hooks.map((hook) =>
      BEFORE_5_12.includes(hook.program) ? { ...hook, exists: "yes" as const } : hook,
    );
    expect(chosen({ ...old, hooks })[0]).to.deep.equal([
      "time_buffered_read_kprobe",
      "time_buffered_read_kretprobe",
    ]);
  });

  it("never takes one program of a pair", () => {
    expect(chosen(facts(["time_read_fexit"]))[0]).to.deep.equal(["time_read_kprobe", "time_read_kretprobe"]);
  });

  it("is refused where a kernel has a hook and lets nobody have it", () => {
    const kernel = facts([...TRAMPOLINES, ...KPROBES]);
    const hooks = kernel.hooks.map((hook) =>
      hook.program === "time_read_fexit" ? { ...hook, refused: true as const } : hook,
    );
    const { latency, hintCalls } = chooseParts({ ...kernel, hooks }, SAMPLED);
    expect(latency).to.include({ state: "absent", cause: "refused" });
    expect(hintCalls).to.include({ state: "absent", cause: "absent" });
  });

  it("is nothing without either, and says why and what would help", () => {
    const { latency, hintCalls } = chooseParts(facts([...TRAMPOLINES, ...KPROBES]), SAMPLED);
    const advice = "kernel.syscall_programs: true takes syscall tracepoints, at a cost for every syscall";
    expect(latency).to.deep.equal({
      state: "absent",
      cause: "absent",
      reason: `no trampolines: no time_read_fentry; no kprobes: no time_read_kprobe; ${advice}`,
    });
    expect(hintCalls).to.have.property("reason").that.contains("no count_hint_kretprobe");
  });

  it("is syscall tracepoints only where they are allowed, and nothing else can be had", () => {
    expect(chosen(facts([...TRAMPOLINES, ...KPROBES]), WITH_SYSCALLS)).to.deep.equal([
      ["time_read_sys_enter", "time_read_sys_exit"],
      ["count_hint_sys_exit"],
    ]);
    expect(chosen(facts(), WITH_SYSCALLS)).to.deep.equal(chosen(facts()));
  });

  it("times nothing where that is switched off, and says nothing of it", () => {
    expect(chosen(facts(), { latency: "off", syscallPrograms: true })).to.deep.equal([
      "off",
      ["count_hint_fexit"],
    ]);
  });
});
