/**
 * The choice on real kernels for arm64, from what the addon said in guests with Debian's kernels of 6.1 and 6.12 (the
 * recordings name their builds). They are recorded anew by
 *   node dist/test/vm/run.js --arch arm64 --kernels 6.1,6.12 --facts test/unit/kernel/recorded-facts
 * where qemu-system-arm and g++-aarch64-linux-gnu are installed.
 */
import { expect } from "chai";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { choosePrograms, COMMON_PROGRAMS, missingPrograms } from "../../../src/kernel/choose.js";
import { chooseParts } from "../../../src/kernel/choose-parts.js";
import { packageRoot } from "../../support/package-root.js";
import { readRecording } from "../../vm/recorded-facts.js";

const FOLDER = join(packageRoot, "test/unit/kernel/recorded-facts");
const RECORDINGS = ["6.1", "6.12"] as const;
const facts = (series: (typeof RECORDINGS)[number]) => readRecording(FOLDER, `arm64-${series}`);
const SAMPLED = { latency: "sampled", syscallPrograms: false } as const;

/** What the programs hook, program by program, in the sources for arm64. */
function hooksOfSources(): Record<string, string> {
  const folder = join(packageRoot, "bpf");
  const sources = readdirSync(folder).filter((name) => name.endsWith(".bpf.h"));
  const text = sources.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  const [, fadvise = ""] = /#ifdef __TARGET_ARCH_arm64\n#define FADVISE_FUNCTION "(\w+)"/.exec(text) ?? [];
  const programs = text.matchAll(/^SEC\("([^"]+)"( FADVISE_FUNCTION)?\)\nint (\w+)\(/gm);
  return Object.fromEntries(
    [...programs].map(([, hook = "", named, program = ""]) => [
      program,
      named === undefined ? hook : hook + fadvise,
    ]),
  );
}

describe("choice on arm64, from recorded facts", () => {
  it("is from recordings of arm64, of all programs that there are", () => {
    for (const series of RECORDINGS) {
      const { machine, hooks } = facts(series);
      expect(machine).to.equal("aarch64");
      expect(Object.fromEntries(hooks.map(({ program, hook }) => [program, hook]))).to.deep.equal(
        hooksOfSources(),
      );
    }
  });

  it("is tracepoints on 6.12, which nothing can preempt, and trampolines for the parts", () => {
    const choice = choosePrograms(facts("6.12"), "auto");
    expect([choice.tier, choice.useRecords, missingPrograms(choice)]).to.deep.equal(["tracing", false, []]);
    expect(choice.programs).to.deep.equal([
      ...["on_get_pages", "on_add", ...COMMON_PROGRAMS],
      ...["on_direct_begin", "on_direct_queued", "on_direct_complete"],
    ]);
    expect(chooseParts(facts("6.12"), SAMPLED)).to.deep.equal({
      latency: { state: "programs", programs: ["time_read_fentry", "time_read_fexit"] },
      hintCalls: { state: "programs", programs: ["count_hint_fexit"] },
    });
  });

  it("is kprobes on 6.1, where arm64 has no trampolines", () => {
    const choice = choosePrograms(facts("6.1"), "auto");
    expect([choice.tier, missingPrograms(choice)]).to.deep.equal(["kprobe", []]);
    expect(choice.programs).to.deep.equal([
      ...["on_filemap_read_entry", "on_add", ...COMMON_PROGRAMS],
      ...["on_direct_begin_kprobe", "on_direct_complete_kprobe"],
    ]);
    expect(chooseParts(facts("6.1"), SAMPLED)).to.deep.equal({
      latency: { state: "programs", programs: ["time_read_kprobe", "time_read_kretprobe"] },
      hintCalls: { state: "programs", programs: ["count_hint_kretprobe"] },
    });
    expect(choosePrograms(facts("6.1"), "fentry").tier).to.equal("none");
  });
});
