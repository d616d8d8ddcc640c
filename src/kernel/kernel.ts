/** The kernel side as the agent sees it: counters to read, processes to follow, and what is attached. */
import type { Config } from "../config/config.js";
import type { CounterLayout } from "../model/counters.js";
import type { Log } from "../model/log.js";
import type { KernelStatus, ProbeStatus } from "../model/status.js";
import type { KernelFacts, NativeAddon, NativeProbe, Task } from "./addon.js";
import { availableCounters, choosePrograms, type Choice } from "./choose.js";
import { KernelError } from "./errors.js";
import { processNames } from "./proc-files.js";
import { createResolver, type Target } from "./targets.js";

export interface Kernel {
  readonly facts: KernelFacts;
  readonly layout: CounterLayout;
  /** Counters that this kernel can have; the others are absent. */
  readonly available: ReadonlySet<string>;
  /** A fresh read of the cumulative counters, shaped as `layout` says. */
  read(): BigUint64Array;
  /** Looks for the target's processes again, and counts those that are there. */
  follow(): void;
  status(): KernelStatus;
  /** Ends the counting; what was counted can still be read. */
  detach(): void;
  close(): void;
}

/** Counter of events that were lost for want of memory; the others are lost to recursion. */
const EVENTS_WITHOUT_STATE = "events_without_state";

/**
 * Opens the kernel side for the configured target.
 * @throws KernelError where nothing can be measured; code EPERM or EACCES where that is for want of permission
 */
export function openKernel(addon: NativeAddon, target: Config["target"], log: Log): Kernel {
  const facts = probe(addon);
  const choice = choosePrograms(facts);
  if (choice.tier === "none") throw nothingMeasured(facts, choice);
  let native: NativeProbe;
  try {
    native = addon.open({ programs: choice.programs });
  } catch (error) {
    throw KernelError.from(error, "load", "BPF programs");
  }
  return attachedKernel(addon, native, { facts, choice, target, log });
}

function probe(addon: NativeAddon): KernelFacts {
  try {
    return addon.probeFeatures();
  } catch (error) {
    throw KernelError.from(error, "examine", "the kernel");
  }
}

function nothingMeasured(facts: KernelFacts, choice: Choice): KernelError {
  const reason = choice.reasons.get("kernel") ?? "no program can be attached";
  return new KernelError({
    message: reason,
    code: facts.permission === "no" ? "EPERM" : "ENOTSUP",
    operation: "attach",
    object: "BPF programs",
  });
}

function attachedKernel(
  addon: NativeAddon,
  native: NativeProbe,
  { facts, choice, target, log }: { facts: KernelFacts; choice: Choice; target: Config["target"]; log: Log },
): Kernel {
  const probes = probeStatus(facts, choice, native);
  const attached = new Set(probes.filter((p) => p.attached).map(({ name }) => name));
  const resolver = createResolver(target, process.pid, processNames);
  const layout = { names: addon.counterNames, components: 1 };
  const withoutState = addon.counterNames.indexOf(EVENTS_WITHOUT_STATE);
  /** Undefined until they were looked for. */
  let targets: Target[] | undefined;

  const read = () => {
    const values = new BigUint64Array(layout.components * layout.names.length);
    native.readCounters(values);
    return values;
  };
  return {
    facts,
    layout,
    available: availableCounters(attached),
    read,
    follow() {
      const found = resolver.resolve(tasksOf(native)).slice(0, addon.targetsMax);
      if (targets && sameProcesses(found, targets)) return;
      native.setTargets(found.map(({ task }) => task.tgid));
      logChange(log, targets ?? [], found);
      targets = found;
    },
    status: () => ({
      tier: choice.tier,
      probes,
      eventsMissed: recursionMisses(native) + Number(read()[withoutState] ?? 0n),
      targets: (targets ?? []).map(({ task, command }) => ({ pid: task.pid, tgid: task.tgid, command })),
    }),
    detach() {
      native.detach();
    },
    close() {
      native.close();
    },
  };
}

/** Events that the kernel kept from a program because it was interrupted in itself. */
function recursionMisses(native: NativeProbe): number {
  return native.stats().programs.reduce((sum, program) => sum + Number(program.recursionMisses), 0);
}

function probeStatus(facts: KernelFacts, choice: Choice, native: NativeProbe): ProbeStatus[] {
  const loaded = new Map(native.programs.map((program) => [program.name, program]));
  return facts.hooks.map(({ program, hook }) => {
    const state = loaded.get(program);
    if (state?.attached === true) return { name: program, hook, attached: true };
    const reason = state?.error?.message ?? choice.reasons.get(program) ?? "not loaded";
    return { name: program, hook, attached: false, reason };
  });
}

function tasksOf(native: NativeProbe): Task[] {
  try {
    return native.tasks();
  } catch (error) {
    throw KernelError.from(error, "list", "processes");
  }
}

function sameProcesses(a: readonly Target[], b: readonly Target[]): boolean {
  const key = ({ task }: Target) => `${task.tgid} ${task.startTimeNs}`;
  return a.length === b.length && a.every((target, i) => key(target) === key(b[i] ?? target));
}

function logChange(log: Log, before: readonly Target[], after: readonly Target[]): void {
  const tgids = (targets: readonly Target[]) => new Set(targets.map(({ task }) => task.tgid));
  const [old, now] = [tgids(before), tgids(after)];
  for (const { task, command } of after)
    if (!old.has(task.tgid)) log.info("target process found", { pid: task.pid, command });
  for (const { task } of before)
    if (!now.has(task.tgid)) log.info("target process is gone", { pid: task.pid });
  if (after.length === 0) log.warn("no target process is running; waiting for one");
}
