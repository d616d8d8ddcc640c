import { expect } from "chai";
import type { Answer, KernelFacts } from "../../../src/kernel/addon.js";
import {
  availableCounters,
  choosePrograms,
  COMMON_PROGRAMS,
  missingPrograms,
} from "../../../src/kernel/choose.js";

const HOOKS: Readonly<Record<string, string>> = {
  on_get_pages: "tp_btf/mm_filemap_get_pages",
  on_add: "tp_btf/mm_filemap_add_to_page_cache",
  on_add_resolve: "tp_btf/mm_filemap_add_to_page_cache",
  on_add_record: "tracepoint/filemap/mm_filemap_add_to_page_cache",
  on_get_pages_record: "tracepoint/filemap/mm_filemap_get_pages",
  on_filemap_read_exit: "fexit/filemap_read",
  on_buffered_read_exit: "fexit/generic_file_buffered_read",
  on_filemap_read_entry: "kprobe/filemap_read",
  on_buffered_read_entry: "kprobe/generic_file_buffered_read",
  on_splice_exit: "fexit/filemap_splice_read",
  on_splice_entry: "kprobe/filemap_splice_read",
  on_direct_begin: "tp_btf/iomap_dio_rw_begin",
  on_direct_queued: "tp_btf/iomap_dio_rw_queued",
  on_direct_complete: "tp_btf/iomap_dio_complete",
  on_direct_begin_fentry: "fentry/__iomap_dio_rw",
  on_direct_complete_fentry: "fentry/iomap_dio_complete",
  on_direct_begin_kprobe: "kprobe/__iomap_dio_rw",
  on_direct_complete_kprobe: "kprobe/iomap_dio_complete",
  ...Object.fromEntries(COMMON_PROGRAMS.map((program) => [program, `tp_btf/${program}`])),
};

/** A kernel that has everything but the function of old kernels, and loses nothing. */
function facts(
  changes: Partial<KernelFacts> = {},
  answers: Readonly<Record<string, Answer>> = {},
): KernelFacts {
  const missing = { on_buffered_read_exit: "no", on_buffered_read_entry: "no", ...answers };
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
    hooks: Object.entries(HOOKS).map(([program, hook]) => {
      const exists: Answer = (missing as Record<string, Answer>)[program] ?? "yes";
      return { program, hook, exists, reason: exists === "no" ? `no ${program}` : "" };
    }),
    ...changes,
  };
}

const BEFORE_6_12: Readonly<Record<string, Answer>> = {
  on_get_pages: "no",
  on_get_pages_record: "no",
  on_direct_begin: "no",
  on_direct_queued: "no",
  on_direct_complete: "no",
};
const HOST_WITHOUT_TEXT_PATCHING: Readonly<Record<string, Answer>> = {
  on_filemap_read_exit: "no",
  on_filemap_read_entry: "no",
  on_direct_begin_fentry: "no",
  on_direct_begin_kprobe: "no",
};
const DIRECT = {
  tracing: ["on_direct_begin", "on_direct_queued", "on_direct_complete"],
  fentry: ["on_direct_begin_fentry", "on_direct_complete_fentry"],
  kprobe: ["on_direct_begin_kprobe", "on_direct_complete_kprobe"],
  partial: [],
} as const;

describe("choice of programs", () => {
  const cases: readonly [string, KernelFacts, keyof typeof DIRECT, readonly string[]][] = [
    ["6.12 and later", facts(), "tracing", ["on_get_pages", "on_add"]],
    [
      "a kernel that refuses trampolines and kprobes",
      facts({ preemptibleRawTracepoints: "unknown", preemptMode: "" }, HOST_WITHOUT_TEXT_PATCHING),
      "tracing",
      ["on_get_pages", "on_add"],
    ],
    [
      "before 6.12, not preemptible",
      facts({}, BEFORE_6_12),
      "fentry",
      ["on_filemap_read_exit", "on_splice_exit", "on_add"],
    ],
    [
      "before 6.5, where splice takes the way of a read",
      facts({}, { ...BEFORE_6_12, on_splice_exit: "no" }),
      "fentry",
      ["on_filemap_read_exit", "on_add"],
    ],
    [
      "before 6.12, preemptible",
      facts({ preemptMode: "full" }, BEFORE_6_12),
      "kprobe",
      ["on_filemap_read_entry", "on_splice_entry", "on_add"],
    ],
    [
      "before 6.12, without debugfs, where the build may be preemptible",
      facts({ preemptMode: "" }, BEFORE_6_12),
      "kprobe",
      ["on_filemap_read_entry", "on_splice_entry", "on_add"],
    ],
    [
      "5.10, by the function of its time",
      facts(
        { preemptMode: "", version: "#1 SMP Debian 5.10" },
        {
          ...BEFORE_6_12,
          on_filemap_read_exit: "no",
          on_buffered_read_exit: "yes",
          on_splice_exit: "no",
        },
      ),
      "fentry",
      ["on_buffered_read_exit", "on_add"],
    ],
    [
      "before 6.12 with neither trampolines nor kprobes",
      facts({}, { ...BEFORE_6_12, ...HOST_WITHOUT_TEXT_PATCHING }),
      "partial",
      ["on_add"],
    ],
  ];
  for (const [name, kernel, tier, readers] of cases) {
    it(`is ${tier} on ${name}`, () => {
      const choice = choosePrograms(kernel, "auto");
      const programs = [...readers, ...COMMON_PROGRAMS, ...DIRECT[tier]];
      expect([choice.tier, choice.programs]).to.deep.equal([tier, programs]);
    });
  }

  it("counts by classic tracepoints where raw ones can be preempted", () => {
    const choice = choosePrograms(facts({ preemptibleRawTracepoints: "yes", preemptMode: "lazy" }), "auto");
    expect([choice.tier, choice.programs, choice.useRecords]).to.deep.equal([
      "tracing",
      [...COMMON_PROGRAMS, ...DIRECT.tracing],
      true,
    ]);
    expect(choice.spare).to.deep.equal(["on_add_resolve", "on_add_record", "on_get_pages_record"]);
  });

  it("keeps raw ones where the mode rules preemption out", () => {
    const choice = choosePrograms(facts({ preemptibleRawTracepoints: "yes", preemptMode: "none" }), "auto");
    expect([choice.programs.slice(0, 2), choice.useRecords]).to.deep.equal([
      ["on_get_pages", "on_add"],
      false,
    ]);
  });

  it("holds classic tracepoints ready where the self-test could not tell", () => {
    const choice = choosePrograms(facts({ preemptibleRawTracepoints: "unknown" }), "auto");
    expect([choice.spare.length, choice.useRecords]).to.deep.equal([3, false]);
  });

  it("goes on with raw ones where tracefs cannot be read", () => {
    const kernel = facts({ preemptibleRawTracepoints: "yes", preemptMode: "full" }, { on_add_record: "no" });
    expect(choosePrograms(kernel, "auto").programs.slice(0, 2)).to.deep.equal(["on_get_pages", "on_add"]);
  });

  it("is the same on both processors", () => {
    for (const changes of [{}, { preemptibleRawTracepoints: "yes", preemptMode: "lazy" }] as const) {
      const other = facts({ ...changes, machine: "aarch64", pageBytes: 16384 });
      expect(choosePrograms(other, "auto")).to.deep.equal(choosePrograms(facts(changes), "auto"));
    }
  });

  it("tries a hook whose existence is unknown", () => {
    expect(choosePrograms(facts({}, { on_add: "unknown" }), "auto").programs).to.include("on_add");
  });

  it("goes on without the evictions where only they cannot be had, and says why", () => {
    const { tier, programs, reasons } = choosePrograms(facts({}, { on_delete: "no" }), "auto");
    expect([tier, programs.includes("on_delete"), reasons.get("on_delete")]).to.deep.equal([
      "tracing",
      false,
      "no on_delete",
    ]);
  });

  it("says why direct reads cannot be counted, but not where they are counted otherwise", () => {
    const without = choosePrograms(facts({}, { ...BEFORE_6_12, ...HOST_WITHOUT_TEXT_PATCHING }), "auto");
    expect(missingPrograms(without)).to.deep.equal(DIRECT.tracing);
    expect(missingPrograms(choosePrograms(facts({}, BEFORE_6_12), "auto"))).to.deep.equal([]);
  });

  it("takes the tier that is asked for, though it may lose events", () => {
    expect(choosePrograms(facts({ preemptMode: "full" }), "fentry").programs[0]).to.equal(
      "on_filemap_read_exit",
    );
    expect(choosePrograms(facts(), "partial").programs[0]).to.equal("on_add");
    expect(choosePrograms(facts({ permission: "no" }), "procfs").tier).to.equal("procfs");
  });

  const refusals: readonly [string, KernelFacts, string][] = [
    ["without permission", facts({ permission: "no", permissionReason: "needs CAP_BPF" }), "needs CAP_BPF"],
    ["without BTF", facts({ btf: "no" }), "the kernel has no BTF (/sys/kernel/btf/vmlinux)"],
    [
      "on another processor",
      facts({ machine: "riscv64" }),
      "riscv64 is not supported, only x86_64 and aarch64",
    ],
  ];
  for (const [name, kernel, reason] of refusals) {
    it(`is none ${name}, with the reason`, () => {
      const { tier, programs, reasons } = choosePrograms(kernel, "auto");
      expect([tier, programs, reasons.get("kernel")]).to.deep.equal(["none", [], reason]);
    });
  }

  it("is none where the tier that is asked for cannot be had, with the reason", () => {
    const { tier, reasons } = choosePrograms(facts({}, BEFORE_6_12), "tracing");
    expect(tier).to.equal("none");
    expect(reasons.get("kernel")).to.equal("tracing: needs kernel 6.12 or later (no on_get_pages)");
  });
});

describe("available counters", () => {
  const of = (...programs: string[]) => availableCounters(new Set(programs));

  it("are absent where the program that counts them is missing", () => {
    expect(of("on_get_pages", "on_add", "on_delete").has("pages_evicted_hint")).to.equal(true);
    expect(of("on_get_pages", "on_add").has("pages_evicted_hint")).to.equal(false);
    expect(of("on_add").has("pages_missed")).to.equal(true);
    expect(of("on_add").has("pages_requested")).to.equal(false);
  });

  it("have direct bytes by tracepoints or by functions, but not by half of either", () => {
    for (const programs of [DIRECT.tracing, DIRECT.fentry, DIRECT.kprobe]) {
      expect(of(...programs).has("direct_bytes")).to.equal(true);
      expect(of(...programs.slice(1)).has("direct_bytes")).to.equal(false);
    }
  });

  it("need reads and adds for hits, by whichever programs", () => {
    expect(of("on_get_pages").has("pages_hit")).to.equal(false);
    expect(of("on_filemap_read_entry", "on_add").has("pages_hit")).to.equal(true);
    expect(of("on_get_pages_record", "on_add_record").has("reads_hit")).to.equal(true);
  });
});
