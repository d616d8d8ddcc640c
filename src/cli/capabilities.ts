/** The Linux capabilities that the sidecar uses. Pure, but for the one function that reads its own. */
import { readFileSync } from "node:fs";

export interface Capability {
  readonly name: string;
  /** Number in include/uapi/linux/capability.h. */
  readonly bit: number;
  /** What it is needed for, and so what is lost without it. */
  readonly reason: string;
}

export const CAPABILITIES: readonly Capability[] = [
  { name: "CAP_BPF", bit: 39, reason: "load BPF programs; without it nothing is measured" },
  { name: "CAP_PERFMON", bit: 38, reason: "attach them to the kernel; without it nothing is measured" },
  {
    name: "CAP_SYS_PTRACE",
    bit: 19,
    reason:
      "see the executable of another user's process; without it such a target is found by its name only",
  },
  {
    name: "CAP_DAC_READ_SEARCH",
    bit: 2,
    reason: "read files of another user's process; without it such a target's files may stay unknown",
  },
];

/** CAP_SYS_ADMIN contains the first two: bpf_capable() and perfmon_capable() of include/linux/capability.h. */
const SYS_ADMIN_BIT = 21;
const IN_SYS_ADMIN: ReadonlySet<string> = new Set(["CAP_BPF", "CAP_PERFMON"]);

/** Those that a process with this effective set lacks; `status` is the text of its /proc/PID/status. */
export function missingCapabilities(status: string): readonly Capability[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const has = (bit: number): boolean => ((effective >> BigInt(bit)) & 1n) === 1n;
  return CAPABILITIES.filter(({ name, bit }) => !has(bit) && !(IN_SYS_ADMIN.has(name) && has(SYS_ADMIN_BIT)));
}

/** Those that this process lacks. */
export function ownMissingCapabilities(): readonly Capability[] {
  return missingCapabilities(readFileSync("/proc/self/status", "utf8"));
}
