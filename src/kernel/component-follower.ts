/** Keeps the kernel's directories in step with those of the target on disk. */
import type { Log } from "../model/log.js";
import type { KernelDirectory, NativeAddon, NativeProbe } from "./addon.js";
import { kernelNames, createComponentTable, type Component } from "./components.js";
import { scanDirectories, seedFiles, type FoundDirectory } from "./component-scan.js";
import { processNames } from "./proc-files.js";
import type { Target } from "./targets.js";

export interface ComponentFollower {
  /** Looks at the directories of these processes again, where it is time to. */
  follow(targets: readonly Target[]): void;
  readonly describe: (component: number) => Component;
  /** Components from here on were never given away. */
  readonly used: () => number;
}

/** A new group is in the right catalog at once, and in its own component after this. */
const SCAN_MS = 5000;

export function followComponents(addon: NativeAddon, native: NativeProbe, log: Log): ComponentFollower {
  const table = createComponentTable(addon, 1);
  const seeded = new Set<string>();
  let known = "";
  let scannedMs = -Infinity;
  let scannedFor = "";
  native.setNames(kernelNames());

  return {
    follow(targets) {
      const who = targets.map(({ task }) => `${task.tgid} ${task.startTimeNs}`).join();
      const nowMs = performance.now();
      if (targets.length === 0 || (who === scannedFor && nowMs - scannedMs < SCAN_MS)) return;
      scannedMs = nowMs;
      scannedFor = who;
      const found = targets.flatMap(({ task }) =>
        scanDirectories(task.pid, processNames(task).commandLine).map((directory) => ({
          pid: task.pid,
          directory,
        })),
      );
      const key = found
        .map(({ directory }) => `${directory.dev}:${directory.ino}:${directory.dbGroup}`)
        .join();
      if (key === known) return;
      known = key;
      tellKernel(found.map(({ directory }) => kernelDirectory(directory)));
      for (const { pid, directory } of found) seedOnce(pid, directory);
    },
    describe: table.describe,
    used: table.used,
  };

  function kernelDirectory({ ino, dev, ...names }: FoundDirectory): KernelDirectory {
    return { ino, dev, base: table.baseOf(0, names), identity: 0 };
  }

  function tellKernel(directories: readonly KernelDirectory[]): void {
    try {
      native.setDirectories(directories);
      log.info("target directories found", { directories: directories.length });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("target directories cannot be watched; their files count as unknown", { reason });
    }
  }

  /** Files of a directory that is seen for the first time may have been cached before. */
  function seedOnce(pid: number, directory: FoundDirectory): void {
    const key = `${directory.dev}:${directory.ino}`;
    if (seeded.has(key)) return;
    seeded.add(key);
    seedFiles(native, pid, directory, kernelDirectory(directory));
  }
}
