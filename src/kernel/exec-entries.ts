/**
 * Who can be counted from his execve on: what the kernel can tell then is the name of the executed file and the
 * cgroups, so an entry is made only where these leave no doubt about the identity. Pure; who is in doubt is found at
 * the next look.
 */
import type { WatchedTarget } from "../config/config.js";
import { isTemplate } from "../model/identity.js";
import type { ExecEntry } from "./addon.js";
import { isInPod, selectedCgroup } from "./cgroup-paths.js";
import { COMM_LENGTH, type Target } from "./targets.js";

export interface IdentifiedTarget extends Target {
  readonly identity: number;
}

export interface ExecPlanner {
  /** The entries, in the order in which they are to be tried, from the processes that run now or ran before. */
  plan(running: readonly IdentifiedTarget[]): readonly ExecEntry[];
}

/** A cgroup in which processes of an identity were seen. */
interface Place {
  readonly name: string;
  readonly cgroup: bigint;
  /** Number of names in its path. */
  readonly depth: number;
  /** More than one where the cgroup does not tell them apart. */
  readonly identities: Set<number>;
  /** Whether name and cgroup are all that selects a process; a command line is not there yet at the execve. */
  tells: boolean;
}

const ANY_CGROUP = 0n;

/**
 * @param idOf number of a cgroup by its path, undefined where it is not to be had
 * @param staticIdentity number of a target's identity, where it does not depend on the process
 */
export function createExecPlanner(
  targets: readonly WatchedTarget[],
  idOf: (path: string) => bigint | undefined,
  staticIdentity: (target: number) => number | undefined,
  entriesMax: number,
): ExecPlanner {
  /** By name and cgroup, the latest last; kept when its processes are gone, for they may start again. */
  const places = new Map<string, Place>();

  function remember({ task, selector, identity, executable, cgroupPath }: IdentifiedTarget): void {
    const select = targets[selector]?.select;
    // What is in the root of all cgroups tells nothing.
    if (!select || select.pid !== undefined || task.parentCgroup === 0n) return;
    if (isToldByName(targets, selector)) return;
    const inPod = isInPod(cgroupPath);
    const cgroup = inPod ? task.parentCgroup : task.cgroup;
    const depth = cgroupPath.split("/").length - (inPod ? 1 : 0);
    const name = select.cgroup === undefined ? (executable || task.comm).slice(0, COMM_LENGTH) : "";
    const key = `${name}\u0000${cgroup}`;
    const place = places.get(key) ?? { name, cgroup, depth, identities: new Set(), tells: false };
    places.delete(key);
    places.set(key, place);
    place.identities.add(identity);
    place.tells ||= select.cgroup !== undefined || select.command === undefined;
    const [oldest] = places.keys();
    if (places.size > entriesMax && oldest !== undefined) places.delete(oldest);
  }

  /** All cgroups of a selector that are there already. */
  function selected(running: readonly IdentifiedTarget[]): ExecEntry[] {
    return targets.flatMap(({ select: { cgroup: selector, pid } }, target) => {
      const identity = staticIdentity(target);
      if (selector === undefined || pid !== undefined || identity === undefined) return [];
      const paths = running.flatMap(({ cgroupPath }) => selectedCgroup(selector, cgroupPath) ?? []);
      const ids = [selector, ...paths].flatMap((path) => (path.includes("*") ? [] : (idOf(path) ?? [])));
      return [...new Set(ids)].map((cgroup): ExecEntry => ({ name: "", cgroup, identity }));
    });
  }

  return {
    plan(running) {
      running.forEach(remember);
      // The deeper cgroup says more.
      const byDepth = [...places.values()].sort((a, b) => b.depth - a.depth);
      const told = byDepth.flatMap(({ name, cgroup, identities, tells }): ExecEntry[] => {
        const [identity, ...others] = identities;
        return tells && identity !== undefined && others.length === 0 ? [{ name, cgroup, identity }] : [];
      });
      const byName = targets.flatMap(({ select }, target): ExecEntry[] => {
        const identity = staticIdentity(target);
        if (identity === undefined || !isToldByName(targets, target)) return [];
        return [{ name: select.name.slice(0, COMM_LENGTH), cgroup: ANY_CGROUP, identity }];
      });
      return [...selected(running), ...byName, ...told].slice(0, entriesMax);
    },
  };
}

/** Whether a process that executes a file of this target's name can be of no other target. */
function isToldByName(targets: readonly WatchedTarget[], target: number): boolean {
  const isByName = ({ select }: WatchedTarget): boolean =>
    select.pid === undefined && select.cgroup === undefined && select.command === undefined;
  const own = targets[target];
  if (!own || !isByName(own) || isTemplate(own.node.id)) return false;
  return targets.every(
    (other) => other === own || other.select.pid !== undefined || (isByName(other) && !sameName(other, own)),
  );
}

/** As the kernel tells names apart. */
function sameName({ select: a }: WatchedTarget, { select: b }: WatchedTarget): boolean {
  return a.name.slice(0, COMM_LENGTH) === b.name.slice(0, COMM_LENGTH);
}
