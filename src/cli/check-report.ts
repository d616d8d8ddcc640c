/** What `check` found, as a table and an exit code. Pure. */
import type { KernelStatus } from "../model/status.js";
import type { Capability } from "./capabilities.js";
import { CAPABILITIES } from "./capabilities.js";
import { EXIT } from "./exit-code.js";
import type { Volume } from "./volume.js";

export interface CheckReport {
  /** Release and machine, such as 6.12.0 x86_64; undefined where even that could not be asked. */
  readonly host: string | undefined;
  readonly kernel:
    | { readonly state: "measures"; readonly status: KernelStatus }
    | { readonly state: "fails"; readonly message: string; readonly permission: boolean };
  readonly missingCapabilities: readonly Capability[];
  readonly banyandb:
    | {
        readonly state: "reached";
        readonly address: string;
        readonly version: string | undefined;
        readonly schema: "missing" | "equal" | "additive" | "conflict";
        readonly lines: readonly string[];
      }
    | { readonly state: "unreachable"; readonly address: string; readonly message: string };
  readonly target: string;
  readonly volume: Volume;
}

/** 77 where permission is all that lacks for measuring, 1 where anything else is in the way, else 0. */
export function checkExitCode({ kernel, banyandb }: CheckReport): number {
  if (kernel.state === "fails") return kernel.permission ? EXIT.noPermission : EXIT.failure;
  if (!kernel.status.probes.some(({ attached }) => attached)) return EXIT.failure;
  if (banyandb.state === "unreachable" || banyandb.schema === "conflict") return EXIT.failure;
  return EXIT.ok;
}

const SCHEMA_WORDS = {
  missing: "schema missing, `run` or `schema apply` creates it",
  equal: "schema ready",
  additive: "schema lacks fields, `run` or `schema apply` adds them",
  conflict: "schema in conflict, nothing can be written",
} as const;

/** The table; its last line is the verdict. */
export function renderCheck(report: CheckReport): string {
  const rows: (readonly [string, string])[] = [
    ...kernelRows(report),
    ...capabilityRows(report),
    ...targetRows(report),
    ...banyandbRows(report),
    ["volume", volumeText(report.volume)],
    ["outage", outageText(report.volume)],
    ["verdict", verdict(report)],
  ];
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, right]) => `${left.padEnd(width)}${right}\n`).join("");
}

type Row = readonly [string, string];

function kernelRows({ host, kernel }: CheckReport): Row[] {
  const rows: Row[] = [["kernel", host ?? "unknown"]];
  if (kernel.state === "fails") return [...rows, ["tier", `none: ${kernel.message}`]];
  const { tier, probes } = kernel.status;
  return [
    ...rows,
    ["tier", tier],
    ...probes.map(({ name, hook, attached, reason }): Row => {
      const state = attached ? "attached" : `not attached: ${reason ?? "reason unknown"}`;
      return [`  ${name}`, `${hook}, ${state}`];
    }),
  ];
}

function capabilityRows({ missingCapabilities }: CheckReport): Row[] {
  const missing = new Set(missingCapabilities.map(({ name }) => name));
  return [
    ["capabilities", missing.size === 0 ? "all there" : `${[...missing].join(", ")} missing`],
    ...CAPABILITIES.map(({ name, reason }): Row => [
      `  ${name}`,
      `${missing.has(name) ? "missing" : "there"}: ${reason}`,
    ]),
  ];
}

function targetRows({ kernel, target }: CheckReport): Row[] {
  if (kernel.state === "fails") return [["target", `${target}: cannot be looked for`]];
  const { targets } = kernel.status;
  if (targets.length === 0) return [["target", `${target}: no process runs; \`run\` waits for one`]];
  return [
    ["target", `${target}: ${targets.length} process(es)`],
    ...targets.map(({ pid, command }): Row => [`  pid ${pid}`, shortened(command)]),
  ];
}

/** Enough of a command line to know the process by. */
const COMMAND_SHOWN = 80;

function shortened(command: string): string {
  return command.length > COMMAND_SHOWN ? `${command.slice(0, COMMAND_SHOWN)}…` : command;
}

function banyandbRows({ banyandb }: CheckReport): Row[] {
  if (banyandb.state === "unreachable")
    return [["banyandb", `${banyandb.address} unreachable: ${banyandb.message}`]];
  const { address, version, schema, lines } = banyandb;
  return [
    ["banyandb", `${address}, API version ${version ?? "unknown"}, ${SCHEMA_WORDS[schema]}`],
    ...lines.map((line): Row => ["", line]),
  ];
}

function volumeText({ rowsPerDay, bytesPerDay }: Volume): string {
  return `at most ${rowsPerDay} rows and ${(bytesPerDay / 1e6).toFixed(1)} MB a day on the wire`;
}

function outageText({ outage }: Volume): string {
  const { fullResolutionMs, withoutLossMs, widestRowMs } = outage;
  const full = `an outage of ${durationText(fullResolutionMs)} costs nothing`;
  if (fullResolutionMs >= withoutLossMs) return `${full}; what is older is dropped`;
  return (
    `${full}; up to ${durationText(withoutLossMs)} it costs resolution (rows of at most ` +
    `${durationText(widestRowMs)}), no count; what is older is dropped`
  );
}

/** Rounded down to one digit after the point: for the eye. */
function durationText(ms: number): string {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
  ] as const;
  const [name, unitMs] = units.find(([, unit]) => ms >= unit) ?? ["s", 1000];
  return `${Math.floor((10 * ms) / unitMs) / 10} ${name}`;
}

function verdict(report: CheckReport): string {
  const { kernel, banyandb, missingCapabilities } = report;
  if (kernel.state === "fails" && kernel.permission) {
    const names = missingCapabilities.map(({ name }) => name).join(", ");
    return `nothing can be measured: permission is missing${names === "" ? "" : `; run as root, or give ${names}`}`;
  }
  if (checkExitCode(report) === EXIT.ok) return "`run` will measure and deliver";
  if (kernel.state === "fails") return "nothing can be measured on this host";
  if (banyandb.state === "unreachable") return "`run` will measure, and deliver once BanyanDB can be reached";
  return "`run` will measure, but cannot deliver";
}
