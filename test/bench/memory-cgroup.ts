/** A cgroup with a memory limit, of version 1 or 2, whichever has the memory controller here. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface MemoryCgroup {
  readonly procsFile: string;
  pids(): number[];
  /** Processes that the kernel has killed because the limit left no room for them. */
  oomKills(): number;
  /** Only when no process is in it any more. */
  remove(): void;
}

const V1_ROOT = "/sys/fs/cgroup/memory";
const V2_ROOT = "/sys/fs/cgroup";

export function makeMemoryCgroup(name: string, limitMb: number): MemoryCgroup {
  const isV1 = existsSync(join(V1_ROOT, "memory.limit_in_bytes"));
  const folder = join(isV1 ? V1_ROOT : V2_ROOT, name);
  mkdirSync(folder);
  writeFileSync(join(folder, isV1 ? "memory.limit_in_bytes" : "memory.max"), String(limitMb * 2 ** 20));
  const procsFile = join(folder, "cgroup.procs");
  return {
    procsFile,
    pids: () => readFileSync(procsFile, "utf8").trim().split("\n").filter(Boolean).map(Number),
    oomKills: () => {
      const events = readFileSync(join(folder, isV1 ? "memory.oom_control" : "memory.events"), "utf8");
      return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
    },
    remove: () => {
      rmdirSync(folder);
    },
  };
}
