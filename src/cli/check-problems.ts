/** What is wrong by a report of `check`, each with its cure, and the verdict. Pure. */
import type { DetachedProbe } from "../model/status.js";
import { checkExitCode, type CheckReport } from "./check-report.js";
import { EXIT } from "./exit-code.js";

export interface Problem {
  /** `fatal`: without a cure nothing is measured or delivered; `partial`: something is missing. */
  readonly severity: "fatal" | "partial";
  readonly what: string;
  readonly cure: string;
}

export function problemsOf(report: CheckReport): Problem[] {
  return [...kernelProblems(report), ...targetProblems(report), ...banyandbProblems(report)];
}

/** One sentence: what `run` would do. */
export function verdict(report: CheckReport): string {
  const { kernel, banyandb } = report;
  if (kernel.state === "fails" && kernel.permission) return "nothing can be measured: permission is missing";
  if (checkExitCode(report) === EXIT.ok) return "`run` will measure and deliver";
  if (kernel.state === "fails") return "nothing can be measured on this host";
  if (!kernel.status.probes.some(({ attached }) => attached)) return "`run` would measure nothing";
  if (banyandb.state === "unreachable") return "`run` will measure, and deliver once BanyanDB can be reached";
  return "`run` will measure, but cannot deliver";
}

/** Tiers that do not see the reads, and so have no ratio. */
const WITHOUT_READS: ReadonlySet<string> = new Set(["partial", "procfs"]);

function kernelProblems({ kernel, missingCapabilities }: CheckReport): Problem[] {
  const missing = missingCapabilities.map(({ name }) => name).join(", ");
  if (kernel.state === "fails") {
    const cure = kernel.permission ? cureOfPermission(missing) : cureOfFailure(kernel);
    return [{ severity: "fatal", what: kernel.message, cure }];
  }
  const { tier, probes } = kernel.status;
  const problems = probes
    .flatMap((probe) => (probe.attached || isIntended(probe) ? [] : [probe]))
    .map((probe) => probeProblem(probe, missingCapabilities.length > 0));
  if (WITHOUT_READS.has(tier)) {
    problems.push({
      severity: "partial",
      what: `tier ${tier} does not see the reads: there is no hit rate`,
      cure: "a kernel from 6.12 on, or one that allows fentry or kprobes",
    });
  }
  if (kernel.pins?.state === "refused") {
    problems.push({
      severity: "partial",
      what: `nothing can be pinned in ${kernel.pins.path}: ${kernel.pins.reason ?? "reason unknown"}`,
      cure: "docs/OPERATIONS.md, Pins; without them a restart loses what is not delivered",
    });
  }
  for (const { name, reason } of missingCapabilities) {
    problems.push({
      severity: "partial",
      what: `${name} is missing: ${reason}`,
      cure: "give it; docs/OPERATIONS.md says how",
    });
  }
  return problems;
}

/** Capabilities are not all: seccomp profiles of older container runtimes, and a locked-down kernel, refuse even so. */
function cureOfPermission(missing: string): string {
  if (missing !== "") return `run as root, or give ${missing}; docs/OPERATIONS.md says how`;
  return (
    "the capabilities are there, so something else forbids bpf(2): a seccomp profile (Docker before 23, containerd " +
    "before 1.7: Unconfined), or a locked-down kernel; docs/OPERATIONS.md, Capabilities"
  );
}

function cureOfFailure({ message, hint }: { message: string; hint: string | undefined }): string {
  if (hint !== undefined) return hint;
  if (message.includes("BTF")) return "a kernel with CONFIG_DEBUG_INFO_BTF, as all distributions build it";
  return "kernel.tier=procfs measures what /proc tells without BPF: pressure, no pages";
}

/** Where a probe may be had by syscall tracepoints, its reason ends with this setting (kernel/choose-parts.ts). */
const BY_SYSCALLS = /; (kernel\.syscall_programs: true .*)$/;

/** What libbpf before 1.3 says without CAP_SYS_ADMIN, on kernels before 6.2. */
const OLD_LIBBPF = "failed to iterate BTF objects";

const isIntended = ({ cause, optional }: DetachedProbe) =>
  optional === true && (cause === "not_asked" || cause === "paused");

function probeProblem({ name, hook, reason }: DetachedProbe, lacking: boolean): Problem {
  const [, bySyscalls] = BY_SYSCALLS.exec(reason) ?? [];
  const what = `probe ${name} (${hook}) is not attached: ${briefReason(reason.replace(BY_SYSCALLS, ""))}`;
  if (/EPERM|EACCES/.test(reason) && (lacking || reason.includes(OLD_LIBBPF))) {
    const cure =
      "run as root, or give CAP_BPF and CAP_PERFMON (with libbpf before 1.3 and a kernel before 6.2 also CAP_SYS_ADMIN)";
    return { severity: "partial", what, cure };
  }
  if (/tracefs|tracing\/events/.test(reason)) {
    return { severity: "partial", what, cure: "mount -t tracefs tracefs /sys/kernel/tracing" };
  }
  if (bySyscalls !== undefined) return { severity: "partial", what, cure: bySyscalls };
  return { severity: "partial", what, cure: "none on this kernel; what it counts is absent, never 0" };
}

/** Without the log of libbpf, which `--json` has. */
export function briefReason(reason: string): string {
  return reason.replaceAll(/ \[libbpf: [^\]]*\]/g, "");
}

function targetProblems({ kernel, target }: CheckReport): Problem[] {
  if (kernel.state === "fails") return [];
  const { targets, tier } = kernel.status;
  if (targets.length === 0) {
    const cure =
      "start it, or correct target.name, target.command, target.cgroup or target.pid; `run` waits for it";
    return [{ severity: "partial", what: `no process runs that has ${target}`, cure }];
  }
  if (kernel.components.length > 0 || tier === "procfs") return [];
  return [
    {
      severity: "partial",
      what: "no data directory of the target can be seen: its files count as unknown",
      cure: "give CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or see whether its directories exist",
    },
  ];
}

/** By gRPC code; else the first one. */
const CURES = [
  [undefined, "start it, or correct banyandb.endpoints; `run` measures meanwhile and delivers later"],
  ["UNAUTHENTICATED", "correct banyandb.username and banyandb.password_file"],
  ["PERMISSION_DENIED", "give this account the right to write, or correct banyandb.username"],
  ["UNIMPLEMENTED", "what answers there is no BanyanDB from 0.9 on: correct banyandb.endpoints"],
] as const;

function banyandbProblems({ banyandb }: CheckReport): Problem[] {
  if (banyandb.state === "unreachable") {
    const [, cure] = CURES.find(([code]) => code === banyandb.code) ?? CURES[0];
    return [
      {
        severity: "fatal",
        what: `BanyanDB at ${banyandb.address} is unreachable: ${banyandb.message}`,
        cure,
      },
    ];
  }
  if (banyandb.schema !== "conflict") return [];
  return [
    {
      severity: "fatal",
      what: `BanyanDB has the schema otherwise: ${banyandb.lines.join("; ")}`,
      cure: "choose another banyandb.group, or remove that measure there",
    },
  ];
}
