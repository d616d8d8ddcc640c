/** Keeps the kernel's directories in step with those of the targets on disk. */
import type { Log } from "../model/log.js";
import type { KernelDirectory, NativeAddon, NativeProbe } from "./addon.js";
import {
  createComponentTable,
  kernelNames,
  NO_KIND,
  PROGRAM,
  type ComponentOwner,
  type ComponentTable,
} from "./components.js";
import {
  directoriesState,
  programFiles,
  scanDirectories,
  seedFiles,
  type FoundDirectory,
} from "./component-scan.js";
import { processNames } from "./proc-files.js";
import type { IdentifiedTarget } from "./exec-entries.js";

export interface ComponentFollower extends Pick<
  ComponentTable,
  "describe" | "identityOf" | "used" | "owners"
> {
  /** Looks at the directories of these processes again, where it is time to. */
  follow(targets: readonly IdentifiedTarget[]): void;
}

/** A new group is in the right catalog at once, and in its own component after this. */
const SCAN_MS = 5000;
/** For what the times of directories do not tell, as a volume that is mounted on one of them. */
const WHOLE_SCAN_MS = 60_000;

/** A directory, and through whose eyes it was found. */
interface Found {
  readonly pid: number;
  readonly identity: number;
  readonly directory: FoundDirectory;
}

export interface ComponentOptions {
  /** Targets that there may be. */
  readonly identities: number;
  /** Owners of components that have their numbers already. */
  readonly saved?: readonly ComponentOwner[] | undefined;
  /** Called before the kernel counts by new numbers. */
  readonly remember: () => void;
  readonly log: Log;
}

export function followComponents(
  addon: NativeAddon,
  native: NativeProbe,
  { identities, saved, remember, log }: ComponentOptions,
): ComponentFollower {
  const table = createComponentTable(addon, identities, saved);
  const seeded = new Set<string>();
  let known = "";
  let scannedMs = -Infinity;
  let wholeScanMs = -Infinity;
  let scannedFor = "";
  let scannedState: string | undefined;
  native.setNames(kernelNames());

  return {
    follow(targets) {
      const who = targets.map(({ task, identity }) => `${task.tgid} ${task.startTimeNs} ${identity}`).join();
      const nowMs = performance.now();
      if (targets.length === 0 || (who === scannedFor && nowMs - scannedMs < SCAN_MS)) return;
      scannedMs = nowMs;
      const state = stateOf(targets);
      const isKnown = who === scannedFor && state !== undefined && state === scannedState;
      if (isKnown && nowMs - wholeScanMs < WHOLE_SCAN_MS) return;
      if (who !== scannedFor) targets.forEach(seedProgram);
      wholeScanMs = nowMs;
      scannedFor = who;
      scannedState = state;
      const found = ownedOnce(
        targets.flatMap(({ task, identity }) =>
          scanDirectories(task.pid, processNames(task).commandLine).map((directory): Found => ({
            pid: task.pid,
            identity,
            directory,
          })),
        ),
      );
      const key = found
        .map(({ identity, directory }) => `${keyOf(directory)}:${directory.dbGroup}:${identity}`)
        .join();
      if (key === known) return;
      known = key;
      tellKernel(found.map(kernelDirectory));
      found.forEach(seedOnce);
    },
    describe: table.describe,
    identityOf: table.identityOf,
    used: table.used,
    owners: table.owners,
  };

  function kernelDirectory({ identity, directory: { ino, dev, ...names } }: Found): KernelDirectory {
    return { ino, dev, base: table.baseOf(identity, names), identity };
  }

  function tellKernel(directories: readonly KernelDirectory[]): void {
    remember();
    try {
      native.setDirectories(directories);
      log.info("target directories found", { directories: directories.length });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("target directories cannot be watched; their files count as unknown", { reason });
    }
  }

  function seedProgram({ task, identity }: IdentifiedTarget): void {
    const base = table.baseOf(identity, PROGRAM);
    remember();
    for (const { path, ino, dev } of programFiles(task.pid))
      native.seedFile(path, { ino, dev, base, identity }, NO_KIND);
  }

  /** Files of a directory that is seen for the first time may have been cached before. */
  function seedOnce(found: Found): void {
    const key = keyOf(found.directory);
    if (seeded.has(key)) return;
    seeded.add(key);
    seedFiles(native, found.pid, found.directory, kernelDirectory(found));
  }
}

function keyOf({ dev, ino }: FoundDirectory): string {
  return `${dev}:${ino}`;
}

/** As `directoriesState`, of all of them. */
function stateOf(targets: readonly IdentifiedTarget[]): string | undefined {
  const states = targets.map(({ task }) => directoriesState(task.pid, processNames(task).commandLine));
  return states.includes(undefined) ? undefined : states.join();
}

/** A directory of several targets, as where two run with BanyanDB's default root, stays that of the first. */
function ownedOnce(found: readonly Found[]): Found[] {
  const owners = new Map<string, number>();
  return found.filter(({ identity, directory }) => {
    const key = keyOf(directory);
    const owner = owners.get(key) ?? identity;
    owners.set(key, owner);
    return owner === identity;
  });
}
