/** What the demo watches: the configured target where it runs, else the sample workload. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Config, NodeConfig } from "../config/config.js";
import { packageRoot } from "../config/schema-files.js";
import { loadAddon } from "../kernel/addon.js";
import { openKernel } from "../kernel/open-kernel.js";
import type { Log } from "../model/log.js";

export interface DemoTarget {
  /** What of the configuration it decides. */
  readonly config: Pick<Config, "targets" | "node">;
  /** For people. */
  readonly description: string;
  readonly pids: readonly number[];
  /** Whether it lives when the demo is over. */
  readonly runsOn: boolean;
  /** Lets the workload begin; nothing for a process that runs anyway. */
  start(): void;
  /** Ends the workload and waits for its end; nothing for a process that runs anyway. */
  finish(): Promise<void>;
}

/** A disk: tmpfs, which /tmp may be, is page cache and nothing else. */
const WORKLOAD_DIRECTORY = "/var/tmp";

/**
 * @throws KernelError where nothing can be measured
 */
export async function findDemoTarget(config: Config, log: Log): Promise<DemoTarget> {
  const kernel = openKernel(loadAddon(packageRoot()), config, log);
  kernel.follow();
  const { targets } = kernel.status();
  kernel.close();
  if (targets.length === 0) return startWorkload(config.node);
  return {
    config: { targets: config.targets, node: config.node },
    description: targets.map(({ command }) => command).join(", "),
    pids: targets.map(({ pid }) => pid),
    runsOn: true,
    start: () => undefined,
    finish: () => Promise.resolve(),
  };
}

async function startWorkload(node: NodeConfig): Promise<DemoTarget> {
  const script = fileURLToPath(new URL("./sample-workload.js", import.meta.url));
  const child = fork(script, [WORKLOAD_DIRECTORY], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const exited = once(child, "exit");
  await Promise.race([once(child, "message"), exited.then(() => Promise.reject(workloadDied(child)))]);
  const pid = child.pid ?? 0;
  return {
    config: { targets: [{ select: { name: "", command: undefined, cgroup: undefined, pid }, node }], node },
    description: "sample workload",
    pids: [pid],
    runsOn: false,
    start: () => {
      child.send("start");
    },
    finish: async () => {
      if (child.connected) child.send("finish");
      await exited;
    },
  };
}

function workloadDied(child: ChildProcess): Error {
  const how = child.exitCode ?? child.signalCode ?? "unknown";
  return new Error(
    `the sample workload ended before it began (${how}); it needs 70 MiB in ${WORKLOAD_DIRECTORY}`,
  );
}
