/** Follows the targets' processes: who is new, who is gone, under which identity; and tells the counting. */
import type { NodeConfig, WatchedTarget } from "../config/config.js";
import type { Log } from "../model/log.js";
import type { ExecEntry, Task } from "./addon.js";
import { createExecPlanner, type IdentifiedTarget } from "./exec-entries.js";
import { createIdentities, type Identities } from "./identities.js";
import { cgroupId, processNames } from "./proc-files.js";
import { createResolver } from "./targets.js";

export interface ProcessFollower {
  /** Looks again; returns the processes that are new. */
  follow(): readonly IdentifiedTarget[];
  readonly targets: () => readonly IdentifiedTarget[];
  readonly identities: Pick<Identities, "known" | "refused">;
}

export interface ProcessSource {
  /** Processes that can be seen. */
  tasks(): Task[];
  /** Counts these from now on, at most `targetsMax`, each under the identity at the same place. */
  setTargets(tgids: readonly number[], identities: readonly number[]): void;
  /** Counts who matches from his execve on. */
  setExecEntries(entries: readonly ExecEntry[]): void;
  readonly targetsMax: number;
  readonly identitiesMax: number;
  readonly execEntriesMax: number;
}

export function followProcesses(
  source: ProcessSource,
  watched: readonly WatchedTarget[],
  log: Log,
  saved?: readonly NodeConfig[],
): ProcessFollower {
  const resolver = createResolver(
    watched.map(({ select }) => select),
    process.pid,
    processNames,
  );
  const identities = createIdentities(watched, source.identitiesMax, saved);
  const staticIdentity = (target: number) => identities.numberOf(target, "");
  const planner = createExecPlanner(watched, cgroupId, staticIdentity, source.execEntriesMax);
  let entries = "";
  /** Undefined until they were looked for. */
  let targets: readonly IdentifiedTarget[] | undefined;

  function armExec(running: readonly IdentifiedTarget[]): void {
    const wanted = planner.plan(running);
    const text = wanted.map(({ name, cgroup, identity }) => `${name} ${cgroup} ${identity}`).join();
    if (text === entries) return;
    entries = text;
    source.setExecEntries(wanted);
  }

  armExec([]);
  return {
    follow() {
      const refusedBefore = identities.refused().length;
      const all = resolver.resolve(source.tasks()).flatMap((target): IdentifiedTarget[] => {
        const identity = identities.numberOf(target.selector, target.task.hostName);
        return identity === undefined ? [] : [{ ...target, identity }];
      });
      const found = all.slice(0, source.targetsMax);
      const before = targets ?? [];
      // Every time: a program may have taken one that cannot be seen from here, of another pid namespace.
      source.setTargets(
        found.map(({ task }) => task.tgid),
        found.map(({ identity }) => identity),
      );
      armExec(found);
      for (const id of identities.refused().slice(refusedBefore))
        log.error("not counted: no more targets can be told apart", {
          node_id: id,
          most: source.identitiesMax,
        });
      if (targets && sameProcesses(found, targets)) return [];
      logChange(log, before, found, (identity) => identities.known()[identity]?.id);
      if (all.length > found.length)
        log.warn("more processes match than can be counted", { matching: all.length, counted: found.length });
      targets = found;
      return found.filter((now) => !before.some((old) => isSameProcess(old, now)));
    },
    targets: () => targets ?? [],
    identities,
  };
}

function isSameProcess(a: IdentifiedTarget, b: IdentifiedTarget): boolean {
  return (
    a.task.tgid === b.task.tgid && a.task.startTimeNs === b.task.startTimeNs && a.identity === b.identity
  );
}

function sameProcesses(a: readonly IdentifiedTarget[], b: readonly IdentifiedTarget[]): boolean {
  return a.length === b.length && a.every((target, i) => isSameProcess(target, b[i] ?? target));
}

function logChange(
  log: Log,
  before: readonly IdentifiedTarget[],
  after: readonly IdentifiedTarget[],
  nodeId: (identity: number) => string | undefined,
): void {
  const missingIn = (targets: readonly IdentifiedTarget[]) => (target: IdentifiedTarget) =>
    !targets.some((other) => isSameProcess(other, target));
  for (const { task, command, identity } of after.filter(missingIn(before)))
    log.info("target process found", { pid: task.pid, command, node_id: nodeId(identity) });
  for (const { task, identity } of before.filter(missingIn(after)))
    log.info("target process is gone", { pid: task.pid, node_id: nodeId(identity) });
  if (after.length === 0) log.warn("no target process is running; waiting for one");
}
