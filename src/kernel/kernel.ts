/** The kernel side as the agent sees it: numbers to read, processes to follow, and what is attached. */
import type { Config } from "../config/config.js";
import type { CounterLayout } from "../model/counters.js";
import type { Log } from "../model/log.js";
import type { KernelStatus, ProbeStatus } from "../model/status.js";
import type { KernelFacts, NativeAddon, NativeProbe, Task } from "./addon.js";
import { availableCounters, choosePrograms, type Choice } from "./choose.js";
import { followComponents } from "./component-follower.js";
import type { Component } from "./components.js";
import { KernelError } from "./errors.js";
import { cgroupPressure, nodePressure, processNames, storageBytesOf } from "./proc-files.js";
import type { PressureFiles } from "./pressure-files.js";
import { trackStorage, type StorageBytes } from "./storage-bytes.js";
import { createResolver, type Target } from "./targets.js";

/** Everything that one read-out gives; all numbers only grow. */
export interface KernelReading {
  /** `[component][counter]` for the components in use. */
  readonly counters: BigUint64Array;
  /** Of the target and of the node, by name. */
  readonly pressure: Readonly<Record<"target" | "node", Readonly<Record<string, bigint>>>>;
  readonly pressureFiles: Readonly<Record<"target" | "node", PressureFiles>>;
  readonly storage: StorageBytes;
}

export interface Kernel {
  readonly facts: KernelFacts;
  readonly layout: CounterLayout;
  /** Counters that this kernel can have; the others are absent. */
  readonly available: ReadonlySet<string>;
  /** Names of a component number. */
  describe(component: number): Component;
  read(): KernelReading;
  /** Begins a new interval for what is counted once in an interval. */
  nextInterval(): void;
  /** Looks for the target's processes and directories again. */
  follow(): void;
  status(): KernelStatus;
  /** Ends the counting; what was counted can still be read. */
  detach(): void;
  close(): void;
}

/** Counter of events that were lost for want of memory; the others are lost to recursion. */
const EVENTS_WITHOUT_STATE = "events_without_state";
const ENDED_STORAGE = { read: "ended_storage_read_bytes", write: "ended_storage_write_bytes" } as const;

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
  const storage = trackStorage(storageBytesOf);
  const components = followComponents(addon, native, log);
  const processes = followProcesses(addon, native, target, log);
  const counterAt = (name: string) => addon.counterNames.indexOf(name);
  const readCounters = () => {
    const values = new BigUint64Array(components.used() * addon.counterNames.length);
    native.readCounters(values);
    return values;
  };
  const eventsMissed = () => {
    const lost = readCounters()[counterAt(EVENTS_WITHOUT_STATE)] ?? 0n;
    return native
      .stats()
      .programs.reduce((sum, program) => sum + Number(program.recursionMisses), Number(lost));
  };

  return {
    facts,
    layout: { names: addon.counterNames, components: addon.componentsMax },
    available: availableCounters(attached),
    describe: components.describe,
    read() {
      const counters = readCounters();
      const ended = (name: string) => BigInt.asIntN(64, counters[counterAt(name)] ?? 0n);
      return {
        counters,
        pressure: readPressure(addon, native),
        pressureFiles: { target: cgroupPressure(processes.targets()[0]?.task.pid), node: nodePressure() },
        storage: storage.total({ read: ended(ENDED_STORAGE.read), write: ended(ENDED_STORAGE.write) }),
      };
    },
    nextInterval() {
      native.nextInterval();
    },
    follow() {
      for (const { task } of processes.follow()) storage.add(task);
      components.follow(processes.targets());
    },
    status: () => ({
      tier: choice.tier,
      probes,
      eventsMissed: eventsMissed(),
      targets: processes.targets().map(({ task, command }) => ({ pid: task.pid, tgid: task.tgid, command })),
    }),
    detach() {
      native.detach();
    },
    close() {
      native.close();
    },
  };
}

function readPressure(addon: NativeAddon, native: NativeProbe): KernelReading["pressure"] {
  const { pressureNames } = addon;
  const values = new BigUint64Array(2 * pressureNames.length);
  native.readPressure(values);
  const scope = (n: number) =>
    Object.fromEntries(pressureNames.map((name, i) => [name, values[n * pressureNames.length + i] ?? 0n]));
  return { target: scope(0), node: scope(1) };
}

interface ProcessFollower {
  /** Looks again; returns the processes that are new. */
  follow(): readonly Target[];
  readonly targets: () => readonly Target[];
}

function followProcesses(
  addon: NativeAddon,
  native: NativeProbe,
  target: Config["target"],
  log: Log,
): ProcessFollower {
  const resolver = createResolver(target, process.pid, processNames);
  /** Undefined until they were looked for. */
  let targets: readonly Target[] | undefined;
  // Only a name can be told at the execve; a pid or a command line is found by looking.
  if (target.pid === undefined && target.command === undefined) native.setExecName(target.name);
  return {
    follow() {
      const found = resolver.resolve(tasksOf(native)).slice(0, addon.targetsMax);
      const before = targets ?? [];
      if (targets && sameProcesses(found, targets)) return [];
      native.setTargets(found.map(({ task }) => task.tgid));
      logChange(log, before, found);
      targets = found;
      return found.filter((now) => !before.some((old) => isSameProcess(old, now)));
    },
    targets: () => targets ?? [],
  };
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

function isSameProcess({ task: a }: Target, { task: b }: Target): boolean {
  return a.tgid === b.tgid && a.startTimeNs === b.startTimeNs;
}

function sameProcesses(a: readonly Target[], b: readonly Target[]): boolean {
  return a.length === b.length && a.every((target, i) => isSameProcess(target, b[i] ?? target));
}

function logChange(log: Log, before: readonly Target[], after: readonly Target[]): void {
  const missingIn = (targets: readonly Target[]) => (target: Target) =>
    !targets.some((other) => isSameProcess(other, target));
  for (const { task, command } of after.filter(missingIn(before)))
    log.info("target process found", { pid: task.pid, command });
  for (const { task } of before.filter(missingIn(after)))
    log.info("target process is gone", { pid: task.pid });
  if (after.length === 0) log.warn("no target process is running; waiting for one");
}
