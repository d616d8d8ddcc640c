/** What each program is doing, and why those are not attached that are not. Pure. */
import type { ProbeStatus } from "../model/status.js";
import type { KernelFacts, NativeProgram } from "./addon.js";
import type { PartChoices } from "./choose-parts.js";
import { causeOf, missingPrograms, type Choice } from "./choose.js";
import { KernelError } from "./errors.js";

/** The parts that are switched off, or that this kernel cannot have, with what they would hook. */
export function partsLeftOut({ latency, hintCalls }: PartChoices): ProbeStatus[] {
  const parts = [
    { name: "read_latency", hook: "filemap_read", part: latency },
    { name: "fadvise_calls", hook: "fadvise64", part: hintCalls },
  ];
  return parts.flatMap(({ name, hook, part }): ProbeStatus[] => {
    const probe = { name, hook, attached: false, optional: true } as const;
    if (part.state === "absent") return [{ ...probe, cause: part.cause, reason: part.reason }];
    if (part.state === "off") return [{ ...probe, cause: "not_asked", reason: "kernel.latency is off" }];
    return [];
  });
}

const SAMPLED_REASON = "attached again for the next interval in which reads are timed (kernel.latency)";

function statusOfProgram({ name, hook, attached, sampled, error }: NativeProgram): ProbeStatus {
  if (attached) return { name, hook, attached };
  const probe = { name, hook, attached } as const;
  if (error) {
    const { code, message } = KernelError.from(error, "attach", name);
    return { ...probe, cause: ["ENOENT", "ESRCH"].includes(code) ? "absent" : "refused", reason: message };
  }
  if (sampled) return { ...probe, cause: "paused", reason: SAMPLED_REASON, optional: true };
  return { ...probe, cause: "refused", reason: "not loaded" };
}

/** What the tier wants, and what it would want on a better kernel. */
export function probeStatus(
  facts: KernelFacts,
  choice: Choice,
  programs: readonly NativeProgram[],
): ProbeStatus[] {
  const hooks = new Map(facts.hooks.map(({ program, hook }) => [program, hook]));
  const loaded = programs.filter(({ spare, attached }) => attached || !spare).map(statusOfProgram);
  const left = missingPrograms(choice).map((name): ProbeStatus => {
    const reason = choice.reasons.get(name) ?? "";
    const cause = causeOf(facts, ({ program }) => program === name);
    return { name, hook: hooks.get(name) ?? "", attached: false, cause, reason };
  });
  return [...loaded, ...left];
}
