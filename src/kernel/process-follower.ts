/** Follows the target's processes: who is new, who is gone, and tells the counting. */
import type { TargetConfig } from "../config/config.js";
import type { Log } from "../model/log.js";
import type { Task } from "./addon.js";
import { processNames } from "./proc-files.js";
import { createResolver, type Target } from "./targets.js";

export interface ProcessFollower {
  /** Looks again; returns the processes that are new. */
  follow(): readonly Target[];
  readonly targets: () => readonly Target[];
}

export interface ProcessSource {
  /** Processes that can be seen. */
  tasks(): Task[];
  /** Counts these from now on; the first `targetsMax`. */
  setTargets(tgids: readonly number[]): void;
  readonly targetsMax: number;
}

export function followProcesses(source: ProcessSource, selector: TargetConfig, log: Log): ProcessFollower {
  const resolver = createResolver(selector, process.pid, processNames);
  /** Undefined until they were looked for. */
  let targets: readonly Target[] | undefined;
  return {
    follow() {
      const all = resolver.resolve(source.tasks());
      const found = all.slice(0, source.targetsMax);
      const before = targets ?? [];
      // Every time: a program may have taken one that cannot be seen from here, of another pid namespace.
      source.setTargets(found.map(({ task }) => task.tgid));
      if (targets && sameProcesses(found, targets)) return [];
      logChange(log, before, found);
      if (all.length > found.length)
        log.warn("more processes match than can be counted", { matching: all.length, counted: found.length });
      targets = found;
      return found.filter((now) => !before.some((old) => isSameProcess(old, now)));
    },
    targets: () => targets ?? [],
  };
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
