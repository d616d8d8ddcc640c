import { expect } from "chai";
import type { Answer, KernelFacts } from "../../../src/kernel/addon.js";
import { availableCounters, choosePrograms } from "../../../src/kernel/choose.js";

const PROGRAMS = ["on_get_pages", "on_add", "on_delete", "list_tasks"];

function facts(
  changes: Partial<KernelFacts> = {},
  answers: Readonly<Record<string, Answer>> = {},
): KernelFacts {
  return {
    release: "6.18",
    machine: "x86_64",
    possibleCpus: 2,
    pageBytes: 4096,
    btf: "yes",
    permission: "yes",
    permissionReason: "",
    hooks: PROGRAMS.map((program) => {
      const exists = answers[program] ?? "yes";
      return { program, hook: `tp_btf/${program}`, exists, reason: exists === "no" ? `no ${program}` : "" };
    }),
    ...changes,
  };
}

describe("choice of programs", () => {
  it("takes all on a kernel that has all", () => {
    const { tier, programs, reasons } = choosePrograms(facts());
    expect([tier, programs, reasons.size]).to.deep.equal(["tracing", PROGRAMS, 0]);
  });

  it("tries a hook whose existence is unknown", () => {
    expect(choosePrograms(facts({}, { on_add: "unknown" })).programs).to.include("on_add");
  });

  it("goes on without the evictions where only they cannot be had, and says why", () => {
    const { tier, programs, reasons } = choosePrograms(facts({}, { on_delete: "no" }));
    expect(tier).to.equal("tracing");
    expect(programs).to.deep.equal(["on_get_pages", "on_add", "list_tasks"]);
    expect(reasons.get("on_delete")).to.equal("no on_delete");
  });

  const refusals: readonly [string, KernelFacts, string][] = [
    ["without permission", facts({ permission: "no", permissionReason: "needs CAP_BPF" }), "needs CAP_BPF"],
    ["without BTF", facts({ btf: "no" }), "the kernel has no BTF (/sys/kernel/btf/vmlinux)"],
    ["on another machine", facts({ machine: "aarch64" }), "aarch64 is not supported, only x86_64"],
    [
      "without the tracepoint of reads",
      facts({}, { on_get_pages: "no" }),
      "tier tracing needs kernel 6.12 or later: no on_get_pages",
    ],
  ];
  for (const [name, kernel, reason] of refusals) {
    it(`is none ${name}, with the reason`, () => {
      const { tier, programs, reasons } = choosePrograms(kernel);
      expect([tier, programs, reasons.get("kernel")]).to.deep.equal(["none", [], reason]);
    });
  }
});

describe("available counters", () => {
  it("are absent where the program that counts them is missing", () => {
    const all = availableCounters(new Set(PROGRAMS));
    const withoutDelete = availableCounters(new Set(["on_get_pages", "on_add"]));
    expect(all.has("pages_evicted_hint")).to.equal(true);
    expect(withoutDelete.has("pages_evicted_hint")).to.equal(false);
    expect(withoutDelete.has("pages_missed")).to.equal(true);
  });

  it("need both read programs for hits", () => {
    const counters = availableCounters(new Set(["on_get_pages"]));
    expect([counters.has("reads"), counters.has("pages_hit")]).to.deep.equal([true, false]);
  });
});
