/** What /proc tells about a process. */
import { readFileSync, readlinkSync } from "node:fs";
import type { Task } from "./addon.js";
import type { ProcessNames } from "./targets.js";

/** Appended by the kernel to the link of an executable that was replaced while it runs. */
const DELETED = " (deleted)";

/** Names of a process; a part that is gone or forbidden is empty, for the process may have just ended. */
export function processNames({ pid }: Task): ProcessNames {
  return { executable: executableName(pid), commandLine: commandLine(pid) };
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
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return words.at(-1) === "" ? words.slice(0, -1) : words;
  } catch {
    return [];
  }
}
