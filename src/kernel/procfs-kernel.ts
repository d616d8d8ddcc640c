/**
 * The tier without any program: what /proc and the cgroups tell. Bytes from and to storage, and memory pressure; no
 * page is seen. What a process moved in the last second of its life is lost.
 */
import { readdirSync } from "node:fs";
import type { TargetConfig } from "../config/config.js";
import type { Log } from "../model/log.js";
import type { Task } from "./addon.js";
import type { Kernel } from "./kernel.js";
import { cgroupPressure, nodePressure, storageBytesOf, taskOf } from "./proc-files.js";
import { followProcesses } from "./process-follower.js";
import { trackStorage, NO_BYTES } from "./storage-bytes.js";

const NOTHING = { catalog: "unknown", dbGroup: "n/a", fileKind: "n/a" };
const PROBE = {
  name: "bpf",
  hook: "any",
  attached: false,
  reason: "tier procfs uses no program: pages are not seen, only bytes and memory pressure",
};

export function openProcfs(target: TargetConfig, log: Log): Kernel {
  const storage = trackStorage(storageBytesOf, false);
  const source = { tasks: listTasks, setTargets: () => undefined, targetsMax: Infinity };
  const processes = followProcesses(source, target, log);
  return {
    layout: { names: [], components: 0 },
    available: new Set(["storage_read_bytes", "storage_write_bytes"]),
    describe: () => NOTHING,
    read: () => ({
      counters: new BigUint64Array(),
      pressure: { target: {}, node: {} },
      hints: {},
      pressureFiles: { target: cgroupPressure(processes.targets()[0]?.task.pid), node: nodePressure() },
      storage: storage.total(NO_BYTES),
    }),
    nextInterval: () => undefined,
    follow() {
      for (const { task } of processes.follow()) storage.add(task);
    },
    status: () => ({
      tier: "procfs",
      probes: [PROBE],
      eventsMissed: 0,
      targets: processes.targets().map(({ task, command }) => ({ pid: task.pid, tgid: task.tgid, command })),
    }),
    detach: () => undefined,
    close: () => undefined,
  };
}

function listTasks(): Task[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (taskOf(Number(name)) ?? []) : []));
}
