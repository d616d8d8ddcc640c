/**
 * The tier without any program: what /proc and the cgroups tell. Bytes from and to storage, and memory pressure; no
 * page is seen. What a process moved in the last second of its life is lost.
 */
import { readdirSync } from "node:fs";
import type { WatchedTarget } from "../config/config.js";
import { IDENTITIES_MAX } from "../model/identity.js";
import type { Log } from "../model/log.js";
import type { DetachedProbe } from "../model/status.js";
import type { Task } from "./addon.js";
import { firstPid, targetStatus } from "./identified-status.js";
import type { Kernel } from "./kernel.js";
import { cgroupPressure, nodePressure, storageBytesOf, taskOf } from "./proc-files.js";
import { followProcesses } from "./process-follower.js";
import { trackStorage, NO_BYTES } from "./storage-bytes.js";

const NOTHING = { catalog: "unknown", dbGroup: "n/a", fileKind: "n/a" };
const PROBE: DetachedProbe = {
  name: "bpf",
  hook: "any",
  attached: false,
  cause: "not_asked",
  reason: "tier procfs uses no program: pages are not seen, only bytes and memory pressure",
};

export function openProcfs(watched: readonly WatchedTarget[], log: Log): Kernel {
  const source = {
    tasks: listTasks,
    setTargets: () => undefined,
    setExecEntries: () => undefined,
    targetsMax: Infinity,
    identitiesMax: IDENTITIES_MAX,
    execEntriesMax: 0,
  };
  const processes = followProcesses(source, watched, log);
  const storage = Array.from({ length: IDENTITIES_MAX }, () => trackStorage(storageBytesOf, false));
  function follow(): void {
    for (const { task, identity } of processes.follow()) storage[identity]?.add(task);
  }
  return {
    layout: { names: [], components: 0 },
    available: new Set(["storage_read_bytes", "storage_write_bytes"]),
    describe: () => NOTHING,
    identityOf: () => 0,
    identities: processes.identities.known,
    read: () => ({
      counters: new BigUint64Array(),
      identities: processes.identities.known().map((_, identity) => ({
        pressure: { counted: {}, files: cgroupPressure(firstPid(processes.targets(), identity)) },
        hints: {},
        storage: storage[identity]?.total(NO_BYTES) ?? NO_BYTES,
        timed: {},
      })),
      sampledMs: undefined,
      node: { counted: {}, files: nodePressure() },
    }),
    endInterval: () => undefined,
    nextInterval: () => undefined,
    follow,
    // Nothing tells of an execve here.
    followChanges: follow,
    status: () => ({
      tier: "procfs",
      probes: [PROBE],
      eventsMissed: 0,
      ...targetStatus(processes),
      ownCost: { reason: PROBE.reason },
    }),
    memory: () => undefined,
    detach: () => undefined,
    close: () => undefined,
  };
}

function listTasks(): Task[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (taskOf(Number(name)) ?? []) : []));
}
