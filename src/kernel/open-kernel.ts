/** Opens the kernel side: facts, choice of programs, effect. */
import type { KernelConfig, LatencyMode, WatchedTarget } from "../config/config.js";
import type { Log } from "../model/log.js";
import type { PinStatus } from "../model/status.js";
import type { KernelFacts, NativeAddon, NativePins, NativeProbe, Task } from "./addon.js";
import { availableCounters, choosePrograms, type Choice } from "./choose.js";
import { followComponents } from "./component-follower.js";
import { continueFiles } from "./continued-files.js";
import { KernelError } from "./errors.js";
import { chooseParts, type PartChoice, type PartChoices } from "./choose-parts.js";
import { firstPid, targetStatus } from "./identified-status.js";
import { identitiesMax } from "./identities.js";
import type { Kernel } from "./kernel.js";
import type { KernelMemory, MapNames } from "./kernel-memory.js";
import { sampleOwnCost } from "./own-cost.js";
import type { PressureFiles } from "./pressure-files.js";
import { cgroupPressure, nodePressure, storageBytesOf } from "./proc-files.js";
import { partsLeftOut, probeStatus } from "./probe-status.js";
import { watchChanges } from "./process-changes.js";
import { followProcesses } from "./process-follower.js";
import { timeReads } from "./latency.js";
import { openProcfs } from "./procfs-kernel.js";
import { NO_BYTES, trackStorage } from "./storage-bytes.js";

/** Counter of events that were lost for want of memory; the others are lost to recursion. */
const EVENTS_WITHOUT_STATE = "events_without_state";
/** Counters of the bytes of ended processes. */
export const ENDED_STORAGE = {
  read: "ended_storage_read_bytes",
  write: "ended_storage_write_bytes",
} as const;

/** Where counters, programs and links outlive this process. */
export interface PinnedKernel {
  readonly path: string;
  readonly pins: NativePins;
  /** What the process before this one knew of the counters that are there; undefined where there are none. */
  readonly memory: KernelMemory | undefined;
  /** Keeps what `memory()` says: called before the kernel counts by it. */
  readonly save: () => void;
  readonly orphanTimeoutMs: number;
}

export interface KernelOptions {
  readonly targets: readonly WatchedTarget[];
  readonly kernel: Pick<KernelConfig, "tier" | "latency" | "syscallPrograms">;
  readonly pinned?: PinnedKernel | undefined;
}

/** Programs that see who executes, and which target ends. */
const CHANGE_PROGRAMS = ["on_exec", "on_exit"];

/** The list of processes is of this process alone. */
const TASK_ITERATOR = "iter/task";

/**
 * Opens the kernel side for the configured targets.
 * @throws KernelError where nothing can be measured; code EPERM or EACCES where that is for want of permission
 */
export function openKernel(
  addon: NativeAddon,
  { targets, kernel: wanted, pinned }: KernelOptions,
  log: Log,
): Kernel {
  const facts = probe(addon);
  const choice = choosePrograms(facts, wanted.tier);
  if (choice.tier === "none") throw nothingMeasured(facts, choice);
  if (choice.tier === "procfs") return openProcfs(targets, log);
  const parts = chooseParts(facts, wanted);
  let native: NativeProbe;
  try {
    native = addon.open({
      programs: [...choice.programs, ...programsOf(parts.hintCalls)],
      spare: choice.spare,
      sampled: programsOf(parts.latency),
      ...(pinned && { pins: pinned.pins }),
    });
  } catch (error) {
    throw KernelError.from(error, "load", "BPF programs");
  }
  return attachedKernel(addon, native, { facts, choice, parts, mode: wanted.latency, targets, pinned, log });
}

const programsOf = (part: PartChoice) => (part.state === "programs" ? part.programs : []);

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

interface Opened {
  readonly facts: KernelFacts;
  readonly choice: Choice;
  readonly parts: PartChoices;
  readonly mode: LatencyMode;
  readonly targets: readonly WatchedTarget[];
  readonly pinned: PinnedKernel | undefined;
  readonly log: Log;
}

function attachedKernel(
  addon: NativeAddon,
  native: NativeProbe,
  { facts, choice, parts, mode, targets, pinned, log }: Opened,
): Kernel {
  const latency = timeReads(addon, native, mode);
  const probes = () => [...probeStatus(facts, choice, native.programs), ...partsLeftOut(parts)];
  let remembered = "";
  const saved = pinned?.memory;
  const storage = Array.from({ length: addon.identitiesMax }, (_, identity) =>
    trackStorage(storageBytesOf, true, saved?.storage[identity]),
  );
  // The last one is the node's.
  const files = Array.from({ length: addon.identitiesMax + 1 }, (_, scope) =>
    continueFiles(saved?.files[scope]),
  );
  const identityCount = identitiesMax(targets, addon.identitiesMax);
  const components = followComponents(addon, native, {
    identities: identityCount,
    saved: saved?.owners,
    remember,
    log,
  });
  const ownCost = sampleOwnCost(native);
  const cost = ownCost.read();
  if ("reason" in cost) log.info("what the programs cost cannot be measured", { reason: cost.reason });
  const processes = followProcesses(
    {
      tasks: () => tasksOf(native),
      setTargets: (tgids, identities) => {
        remember();
        native.setTargets(tgids, identities);
      },
      setExecEntries: (entries) => {
        native.setExecEntries(entries);
      },
      ...addon,
    },
    targets,
    log,
    saved?.identities,
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

  /** Of a scope: an identity, or the node. */
  const counted = (scope: number, read: PressureFiles) => files[scope]?.count(read) ?? read;

  /** Where raw tracepoints turn out to lose events, the classic ones count from then on. */
  function preferLossless(): void {
    if (choice.spare.length === 0 || choice.useRecords || switched || recursionMisses(native) === 0) return;
    switched = true;
    const done = native.useRecords();
    log.warn("raw tracepoints lose events on this kernel", { counting_by_classic_tracepoints_now: done });
  }
  let switched = false;

  // What was missed before, and told by the process before.
  const missedBefore = Math.min(saved?.eventsMissed ?? 0, eventsMissed());
  let missedTold = eventsMissed();

  const maps: MapNames = {
    possibleCpus: facts.possibleCpus,
    componentsMax: addon.componentsMax,
    fileKinds: addon.fileKinds,
    identitiesMax: addon.identitiesMax,
    counterNames: addon.counterNames,
    pressureNames: addon.pressureNames,
    adviceNames: addon.adviceNames,
    hintNames: addon.hintNames,
    available: [...availableCounters(attached)],
  };
  const memory = (): KernelMemory => ({
    identitiesMax: identityCount,
    identities: processes.identities.known(),
    owners: components.owners(),
    storage: storage.map((tracker) => tracker.memory()),
    files: files.map((one) => one.memory()),
    eventsMissed: missedTold,
    maps,
  });

  /** Saves what numbers mean before the kernel counts by them. */
  function remember(): void {
    if (!pinned) return;
    const { identities, owners, storage } = memory();
    const meanings = JSON.stringify([identities, owners, storage.map(({ living }) => living)]);
    if (meanings === remembered) return;
    remembered = meanings;
    pinned.save();
  }

  function keepAlive(): void {
    if (pinned) native.keepAlive(BigInt(pinned.orphanTimeoutMs) * 1_000_000n);
  }

  const tellsChanges = CHANGE_PROGRAMS.every((name) => attached.has(name));
  const changes = watchChanges(() => (tellsChanges ? native.processChanges : undefined));

  function follow(): void {
    // Those that count already must not stop, whatever fails below.
    if (remembered !== "") keepAlive();
    for (const { task, identity } of processes.follow()) storage[identity]?.add(task);
    components.follow(processes.targets());
    remember();
    // Nothing counts before what it means is saved.
    keepAlive();
    preferLossless();
  }

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
      const timed = latency.read();
      return {
        counters,
        identities: processes.identities.known().map((_, identity) => ({
          pressure: {
            counted: pressure[identity] ?? {},
            files: counted(identity, cgroupPressure(firstPid(processes.targets(), identity))),
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
          timed: timed[identity] ?? {},
        })),
        sampledMs: latency.sampledMs(),
        node: { counted: pressure.at(-1) ?? {}, files: counted(addon.identitiesMax, nodePressure()) },
      };
    },
    endInterval() {
      latency.endInterval();
    },
    nextInterval() {
      missedTold = eventsMissed();
      native.nextInterval();
      ownCost.nextInterval();
      latency.nextInterval();
    },
    follow,
    followChanges() {
      if (changes.isDue(performance.now())) {
        follow();
        changes.looked();
        return;
      }
      keepAlive();
      components.follow(processes.targets());
    },
    status: () => ({
      tier: choice.tier,
      probes: probes(),
      eventsMissed: eventsMissed() - missedBefore,
      ...targetStatus(processes),
      ownCost: ownCost.read(),
      pins: pinned && pinStatus(pinned.path, native),
    }),
    memory: () => (pinned ? memory() : undefined),
    detach() {
      ownCost.stop();
      latency.stop();
      native.detach();
    },
    close() {
      ownCost.stop();
      native.close();
    },
  };
}

function pinStatus(path: string, { programs, orphanedNs }: NativeProbe): PinStatus {
  const notPinned = programs.filter(
    ({ attached, pinned, sampled, hook }) => attached && !pinned && !sampled && hook !== TASK_ITERATOR,
  );
  return {
    path,
    notPinned: notPinned.map(({ name, error }) => `${name}: ${error?.message ?? "reason unknown"}`),
    gapMs: Number(orphanedNs / 1_000_000n),
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

/**
 * Events that the kernel kept from a program because it was interrupted in itself; but for reads that were not timed,
 * which are missing in no count.
 */
function recursionMisses(native: NativeProbe): number {
  const sampled = new Set(native.programs.filter((program) => program.sampled).map(({ name }) => name));
  return native
    .stats()
    .programs.filter(({ name }) => !sampled.has(name))
    .reduce((sum, program) => sum + Number(program.recursionMisses), 0);
}

function tasksOf(native: NativeProbe): Task[] {
  try {
    return native.tasks();
  } catch (error) {
    throw KernelError.from(error, "list", "processes");
  }
}
