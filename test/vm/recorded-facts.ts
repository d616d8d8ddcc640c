/** What the addon says of a kernel, as it was told in a guest, kept in a file that people can read. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer, HookFact, KernelFacts } from "../../src/kernel/addon.js";

type Reasons = Readonly<Record<string, string>>;

interface Recording extends Omit<KernelFacts, "hooks"> {
  /** What each program hooks. */
  readonly hooks: Readonly<Record<string, string>>;
  /** Why some of these are not there, or why nobody knows. The kernel has all others. */
  readonly no: Reasons;
  readonly unknown: Reasons;
}

/** @param name such as arm64-6.12 */
export function readRecording(folder: string, name: string): KernelFacts {
  const text = readFileSync(join(folder, `${name}.json`), "utf8");
  const { hooks, no, unknown, ...rest } = JSON.parse(text) as Recording;
  const factOf = (program: string, hook: string): HookFact => {
    const exists: Answer = program in no ? "no" : program in unknown ? "unknown" : "yes";
    return { program, hook, exists, reason: no[program] ?? unknown[program] ?? "" };
  };
  return { ...rest, hooks: Object.entries(hooks).map(([program, hook]) => factOf(program, hook)) };
}

/** @param json the facts in one line */
export function writeRecording(folder: string, name: string, json: string): void {
  const { hooks, ...rest } = JSON.parse(json) as KernelFacts;
  const sorted = hooks.toSorted((a, b) => (a.program < b.program ? -1 : 1));
  const reasons = (answer: Answer): Reasons =>
    Object.fromEntries(
      sorted.filter(({ exists }) => exists === answer).map(({ program, reason }) => [program, reason]),
    );
  const recording: Recording = {
    ...rest,
    hooks: Object.fromEntries(sorted.map(({ program, hook }) => [program, hook])),
    no: reasons("no"),
    unknown: reasons("unknown"),
  };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(recording, undefined, 2)}\n`);
}
