/** Which processes are the target. Matching is pure; what a process calls itself is handed in. */
import type { TargetConfig } from "../config/config.js";
import type { Task } from "./addon.js";
import { selectedCgroup } from "./cgroup-paths.js";

/** How a process calls itself, and where it runs; parts that cannot be read are empty. */
export interface ProcessNames {
  /** Base name of the executable file. */
  readonly executable: string;
  readonly commandLine: readonly string[];
  /** Path of its cgroup, of the hierarchy that the memory controller is in. */
  readonly cgroup: string;
}

export interface Target {
  readonly task: Task;
  /** Number of the first selector that matches. */
  readonly selector: number;
  readonly executable: string;
  readonly cgroupPath: string;
  /** For people: without flags and further words. */
  readonly command: string;
}

/** The kernel cuts a thread's name after this many bytes (include/linux/sched.h, TASK_COMM_LEN - 1). */
export const COMM_LENGTH = 15;

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** Whether a process is what the configuration selects. */
export function isSelected(selector: TargetConfig, task: Task, names: ProcessNames): boolean {
  if (selector.pid !== undefined) return task.pid === selector.pid;
  if (selector.cgroup !== undefined) return selectedCgroup(selector.cgroup, names.cgroup) !== undefined;
  if (selector.command !== undefined) return new RegExp(selector.command).test(names.commandLine.join(" "));
  if (selector.name === "") return false;
  return (
    names.executable === selector.name ||
    baseName(names.commandLine[0] ?? "") === selector.name ||
    task.comm === selector.name.slice(0, COMM_LENGTH)
  );
}

export interface Resolver {
  /** The targets' processes among these tasks, oldest first. */
  resolve(tasks: readonly Task[]): Target[];
}

/**
 * A resolver that asks for the names of a process only when it is new, has renamed itself (as exec does) or is in
 * another cgroup, since that costs several file reads for each process of the machine.
 * @param ownPid never a target
 */
export function createResolver(
  selectors: readonly TargetConfig[],
  ownPid: number,
  namesOf: (task: Task) => ProcessNames,
): Resolver {
  let known = new Map<string, Target | undefined>();
  return {
    resolve(tasks) {
      const next = new Map<string, Target | undefined>();
      for (const task of tasks) {
        if (task.pid === ownPid) continue;
        const key = `${task.tgid} ${task.startTimeNs} ${task.comm} ${task.cgroup}`;
        next.set(key, known.has(key) ? known.get(key) : examine(selectors, task, namesOf));
      }
      known = next;
      return [...next.values()]
        .filter((target) => target !== undefined)
        .sort((a, b) => (a.task.startTimeNs < b.task.startTimeNs ? -1 : 1));
    },
  };
}

/** The program and what follows it, if that is no flag; the flags of somebody else may hold secrets. */
function briefCommand({ commandLine }: ProcessNames): string {
  const [program = "", word = "-"] = commandLine;
  return word.startsWith("-") ? program : `${program} ${word}`;
}

function examine(
  selectors: readonly TargetConfig[],
  task: Task,
  namesOf: (task: Task) => ProcessNames,
): Target | undefined {
  const names = namesOf(task);
  const selector = selectors.findIndex((candidate) => isSelected(candidate, task, names));
  if (selector < 0) return undefined;
  const { executable, cgroup: cgroupPath } = names;
  return { task, selector, executable, cgroupPath, command: briefCommand(names) || task.comm };
}
