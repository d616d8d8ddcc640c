/** What /proc and the cgroups tell: about a process, and about the node. */
import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";
import type { Task } from "./addon.js";
import { parseCountedCgroup } from "./cgroup-paths.js";
import { parseMounts } from "./device-numbers.js";
import { parseCgroupPath, readPressureFiles, type PressureFiles } from "./pressure-files.js";
import { parseProcIo, type StorageBytes } from "./storage-bytes.js";
import type { ProcessNames } from "./targets.js";

/** Appended by the kernel to the link of an executable that was replaced while it runs. */
const DELETED = " (deleted)";

/** Names of a process; a part that is gone or forbidden is empty, for the process may have just ended. */
export function processNames({ pid }: Pick<Task, "pid">): ProcessNames {
  return {
    executable: executableName(pid),
    commandLine: commandLine(pid),
    cgroup: parseCountedCgroup(readOrEmpty(`/proc/${pid}/cgroup`)),
  };
}

function executableName(pid: number): string {
  try {
    const path = readlinkSync(`/proc/${pid}/exe`);
    return path.slice(path.lastIndexOf("/") + 1).replace(DELETED, "");
  } catch {
    return "";
  }
}

function commandLine(pid: number): string[] {
  const words = readOrEmpty(`/proc/${pid}/cmdline`).split("\0");
  return words.at(-1) === "" ? words.slice(0, -1) : words;
}

/**
 * Number of a cgroup, as the kernel's events show it: its inode number (kernel: include/linux/kernfs.h). Undefined
 * where there is none, or the hierarchy is not mounted here.
 */
export function cgroupId(path: string): bigint | undefined {
  // The root of a mounted version 2 has this file; else the memory controller is in a hierarchy of its own.
  const root = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
  try {
    return statSync(`${root}${path}`, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

/** Nanoseconds of a clock tick of /proc/PID/stat (USER_HZ, which is 100 on all of Linux). */
const TICK_NS = 10_000_000n;

/** A process by its own file; undefined where it is gone. Its global number is not to be had there. */
export function taskOf(pid: number): Task | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  // pid (comm) state ppid ...; the name may hold anything, so the last parenthesis counts. Start time is field 22.
  const [open, close] = [stat.indexOf("("), stat.lastIndexOf(")")];
  const ticks = stat.slice(close + 2).split(" ")[19];
  if (open < 0 || ticks === undefined) return undefined;
  return {
    pid,
    tgid: pid,
    startTimeNs: BigInt(ticks) * TICK_NS,
    comm: stat.slice(open + 1, close),
    cgroup: 0n,
    parentCgroup: 0n,
    hostName: readOrEmpty(`/proc/${pid}/root/etc/hostname`).trim(),
    counted: false,
  };
}

/** What a process has moved from and to storage; undefined where it is gone or forbidden. */
export function storageBytesOf(pid: number): StorageBytes | undefined {
  return parseProcIo(readOrEmpty(`/proc/${pid}/io`));
}

/** Memory pressure of the whole machine. */
export function nodePressure(): PressureFiles {
  return readPressureFiles(readOrEmpty, "/proc/pressure/memory", "/proc/vmstat");
}

/** Memory pressure of the cgroup (version 2) of a process; all absent where it is in none, or none is given. */
export function cgroupPressure(pid: number | undefined): PressureFiles {
  const path = pid === undefined ? undefined : parseCgroupPath(readOrEmpty(`/proc/${pid}/cgroup`));
  const mount = parseMounts(readOrEmpty("/proc/self/mountinfo")).find(({ type }) => type === "cgroup2");
  if (path === undefined || !mount)
    return { psiSomeUs: undefined, psiFullUs: undefined, refaults: undefined };
  const folder = `${mount.mountPoint}${path === "/" ? "" : path}`;
  return readPressureFiles(readOrEmpty, `${folder}/memory.pressure`, `${folder}/memory.stat`);
}

/** Text of a file; empty where it is gone or forbidden, which its parser takes for absent. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
