/** Opens the kernel side: facts, choice of programs, effect. */
import type { TierChoice, WatchedTarget } from "../config/config.js";
import type { Log } from "../model/log.js";
import type { ProbeStatus } from "../model/status.js";
import type { KernelFacts, NativeAddon, NativeProbe, Task } from "./addon.js";
import { availableCounters, choosePrograms, missingPrograms, type Choice } from "./choose.js";
import { followComponents } from "./component-follower.js";
import { KernelError } from "./errors.js";
import { firstPid, targetStatus } from "./identified-status.js";
import { identitiesMax } from "./identities.js";
import type { Kernel } from "./kernel.js";
import { sampleOwnCost } from "./own-cost.js";
import { cgroupPressure, nodePressure, storageBytesOf } from "./proc-files.js";
import { followProcesses } from "./process-follower.js";
import { openProcfs } from "./procfs-kernel.js";
import { NO_BYTES, trackStorage } from "./storage-bytes.js";

/** Counter of events that were lost for want of memory; the others are lost to recursion. */
const EVENTS_WITHOUT_STATE = "events_without_state";
const ENDED_STORAGE = { read: "ended_storage_read_bytes", write: "ended_storage_write_bytes" } as const;

/**
 * Opens the kernel side for the configured targets.
 * @throws KernelError where nothing can be measured; code EPERM or EACCES where that is for want of permission
 */
export function openKernel(
  addon: NativeAddon,
  { targets, tier }: { readonly targets: readonly WatchedTarget[]; readonly tier: TierChoice },
  log: Log,
): Kernel {
  const facts = probe(addon);
  const choice = choosePrograms(facts, tier);
  if (choice.tier === "none") throw nothingMeasured(facts, choice);
  if (choice.tier === "procfs") return openProcfs(targets, log);
  let native: NativeProbe;
  try {
    native = addon.open({ programs: choice.programs, spare: choice.spare });
  } catch (error) {
    throw KernelError.from(error, "load", "BPF programs");
  }
  return attachedKernel(addon, native, { facts, choice, targets, log });
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
  {
    facts,
    choice,
    targets,
    log,
  }: { facts: KernelFacts; choice: Choice; targets: readonly WatchedTarget[]; log: Log },
): Kernel {
  const probes = () => probeStatus(facts, choice, native);
  const storage = Array.from({ length: addon.identitiesMax }, () => trackStorage(storageBytesOf, true));
  const components = followComponents(addon, native, identitiesMax(targets, addon.identitiesMax), log);
  const ownCost = sampleOwnCost(native);
  const cost = ownCost.read();
  if ("reason" in cost) log.info("what the programs cost cannot be measured", { reason: cost.reason });
  const processes = followProcesses(
    {
      tasks: () => tasksOf(native),
      setTargets: (tgids, identities) => {
        native.setTargets(tgids, identities);
      },
      setExecEntries: (entries) => {
        native.setExecEntries(entries);
      },
      ...addon,
    },
    targets,
    log,
  );
  if (choice.useRecords) native.useRecords();
  const counterAt = (name: string) => addon.counterNames.indexOf(name);
  const readCounters = () => {
    const values = new BigUint64Array(components.used() * addon.counterNames.length);
    native.readCounters(values);
    return values;
  };
  const eventsMissed = () => recursionMisses(native) + Number(sumOf(readCounters(), EVENTS_WITHOUT_STATE));

  /** Of all components. */
  function sumOf(counters: BigUint64Array, name: string): bigint {
    let sum = 0n;
    for (let at = counterAt(name); at < counters.length; at += addon.counterNames.length)
      sum += counters[at] ?? 0n;
    return sum;
  }

  const attached = new Set(
    probes()
      .filter((p) => p.attached)
      .map(({ name }) => name),
  );

  /** Where raw tracepoints turn out to lose events, the classic ones count from then on. */
  function preferLossless(): void {
    if (choice.spare.length === 0 || choice.useRecords || switched || recursionMisses(native) === 0) return;
    switched = true;
    const done = native.useRecords();
    log.warn("raw tracepoints lose events on this kernel", { counting_by_classic_tracepoints_now: done });
  }
  let switched = false;

  return {
    layout: { names: addon.counterNames, components: addon.componentsMax },
    available: availableCounters(attached),
    describe: components.describe,
    identityOf: components.identityOf,
    identities: processes.identities.known,
    read() {
      const counters = readCounters();
      const pressure = readRows(addon.identitiesMax + 1, addon.pressureNames, (into) => {
        native.readPressure(into);
      });
      const hints = readRows(addon.identitiesMax * addon.adviceNames.length, addon.hintNames, (into) => {
        native.readHints(into);
      });
      const ended = (identity: number, name: string) =>
        BigInt.asIntN(64, counters[identity * addon.counterNames.length + counterAt(name)] ?? 0n);
      return {
        counters,
        identities: processes.identities.known().map((_, identity) => ({
          pressure: {
            counted: pressure[identity] ?? {},
            files: cgroupPressure(firstPid(processes.targets(), identity)),
          },
          hints: Object.fromEntries(
            addon.adviceNames.map((advice, i) => [
              advice,
              hints[identity * addon.adviceNames.length + i] ?? {},
            ]),
          ),
          storage:
            storage[identity]?.total({
              read: ended(identity, ENDED_STORAGE.read),
              write: ended(identity, ENDED_STORAGE.write),
            }) ?? NO_BYTES,
        })),
        node: { counted: pressure.at(-1) ?? {}, files: nodePressure() },
      };
    },
    nextInterval() {
      native.nextInterval();
      ownCost.nextInterval();
    },
    follow() {
      for (const { task, identity } of processes.follow()) storage[identity]?.add(task);
      components.follow(processes.targets());
      preferLossless();
    },
    status: () => ({
      tier: choice.tier,
      probes: probes(),
      eventsMissed: eventsMissed(),
      ...targetStatus(processes),
      ownCost: ownCost.read(),
    }),
    detach() {
      ownCost.stop();
      native.detach();
    },
    close() {
      ownCost.stop();
      native.close();
    },
  };
}

/** Reads `[row][counter]` into names. */
function readRows(
  rows: number,
  names: readonly string[],
  read: (into: BigUint64Array) => void,
): Record<string, bigint>[] {
  const values = new BigUint64Array(rows * names.length);
  read(values);
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(names.map((name, i) => [name, values[row * names.length + i] ?? 0n])),
  );
}

/** Events that the kernel kept from a program because it was interrupted in itself. */
function recursionMisses(native: NativeProbe): number {
  return native.stats().programs.reduce((sum, program) => sum + Number(program.recursionMisses), 0);
}

/** What the tier wants, and what it would want on a better kernel. */
function probeStatus(facts: KernelFacts, choice: Choice, native: NativeProbe): ProbeStatus[] {
  const hooks = new Map(facts.hooks.map(({ program, hook }) => [program, hook]));
  const loaded = native.programs
    .filter(({ spare, attached }) => attached || !spare)
    .map(({ name, hook, attached, error }): ProbeStatus =>
      attached ? { name, hook, attached } : { name, hook, attached, reason: error?.message ?? "not loaded" },
    );
  const left = missingPrograms(choice).map((name): ProbeStatus => {
    const reason = choice.reasons.get(name) ?? "";
    return { name, hook: hooks.get(name) ?? "", attached: false, reason };
  });
  return [...loaded, ...left];
}

function tasksOf(native: NativeProbe): Task[] {
  try {
    return native.tasks();
  } catch (error) {
    throw KernelError.from(error, "list", "processes");
  }
}
