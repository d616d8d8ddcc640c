/** What is told of the targets' processes. Pure. */
import type { KernelStatus } from "../model/status.js";
import type { IdentifiedTarget } from "./exec-entries.js";
import type { ProcessFollower } from "./process-follower.js";

export function targetStatus({
  targets,
  identities,
}: Pick<ProcessFollower, "targets" | "identities">): Pick<KernelStatus, "targets" | "refused"> {
  return {
    targets: targets().map(({ task, command, identity }) => ({
      pid: task.pid,
      tgid: task.tgid,
      command,
      nodeId: identities.known()[identity]?.id ?? "",
    })),
    refused: identities.refused(),
  };
}

/** Process of an identity whose cgroup speaks for it: the oldest. */
export function firstPid(targets: readonly IdentifiedTarget[], identity: number): number | undefined {
  return targets.find((target) => target.identity === identity)?.task.pid;
}
