/** What `check` found, as a table for people. Pure. */
import { type Line, span, type Style, toText } from "../top/text.js";
import type { PinCheck } from "../kernel/pin-check.js";
import { CAPABILITIES } from "./capabilities.js";
import { briefReason, problemsOf, verdict } from "./check-problems.js";
import { type CheckReport, checkExitCode, LARGE_CPUS } from "./check-report.js";
import { EXIT } from "./exit-code.js";
import type { Volume } from "./volume.js";

interface Row {
  readonly name: string;
  readonly text: string;
  readonly style: Style;
}

const row = (name: string, text: string, style: Style = "plain"): Row => ({ name, text, style });

/** The table; then each problem with its cure; its last line is the verdict. */
export function renderCheck(report: CheckReport, colours: boolean): string {
  const rows = [
    ...kernelRows(report),
    ...capabilityRows(report),
    ...targetRows(report),
    ...banyandbRows(report),
    ...memoryRows(report),
    row("volume", volumeText(report.volume)),
    row("outage", outageText(report.volume)),
    ...problemRows(report),
    row("verdict", verdict(report), checkExitCode(report) === EXIT.ok ? "good" : "bad"),
  ];
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const line = ({ name, text, style }: Row): Line => [
    span(name.padEnd(width), name.startsWith(" ") ? "plain" : "heading"),
    span(text, style),
  ];
  return rows.map((each) => `${toText(line(each), Infinity, colours)}\n`).join("");
}

function kernelRows({ host, kernel }: CheckReport): Row[] {
  const rows = [row("kernel", host ?? "unknown")];
  if (kernel.state === "fails") return [...rows, row("tier", `none: ${kernel.message}`, "bad")];
  const { tier, probes } = kernel.status;
  return [
    ...rows,
    row("tier", tier),
    ...probes.map((probe) =>
      probe.attached
        ? row(`  ${probe.name}`, `${probe.hook}, attached`, "good")
        : row(`  ${probe.name}`, `${probe.hook}, not attached: ${briefReason(probe.reason)}`, "fair"),
    ),
  ];
}

function capabilityRows({ missingCapabilities }: CheckReport): Row[] {
  const missing = new Set(missingCapabilities.map(({ name }) => name));
  const all = missing.size === 0;
  return [
    row("capabilities", all ? "all there" : `${[...missing].join(", ")} missing`, all ? "good" : "fair"),
    ...CAPABILITIES.map(({ name, reason }) =>
      missing.has(name)
        ? row(`  ${name}`, `missing: ${reason}`, "fair")
        : row(`  ${name}`, `there: ${reason}`),
    ),
  ];
}

function targetRows({ kernel, target }: CheckReport): Row[] {
  if (kernel.state === "fails") return [row("target", `${target}: cannot be looked for`, "bad")];
  const { targets } = kernel.status;
  if (targets.length === 0)
    return [row("target", `${target}: no process runs; \`run\` waits for one`, "fair")];
  const { components } = kernel;
  return [
    row("target", `${target}: ${targets.length} process(es)`, "good"),
    ...targets.map(({ pid, command, nodeId }) =>
      row(`  pid ${pid}`, `${shortened(command)}, node_id ${nodeId}`),
    ),
    row("components", `${components.length} data directories`, components.length > 0 ? "good" : "fair"),
    ...components.map(({ catalog, dbGroup, path }) =>
      row(`  ${catalog}`, `${dbGroup === "n/a" ? "of any group" : `group ${dbGroup}`}: ${path}`),
    ),
  ];
}

/** Enough of a command line to know the process by. */
const COMMAND_SHOWN = 80;

function shortened(command: string): string {
  return command.length > COMMAND_SHOWN ? `${command.slice(0, COMMAND_SHOWN)}…` : command;
}

const SCHEMA_WORDS = {
  missing: ["schema missing, `run` or `schema apply` creates it", "good"],
  equal: ["schema ready", "good"],
  additive: ["schema lacks fields, `run` or `schema apply` adds them", "good"],
  conflict: ["schema in conflict, nothing can be written", "bad"],
} as const;

function banyandbRows({ banyandb }: CheckReport): Row[] {
  if (banyandb.state === "unreachable")
    return [row("banyandb", `${banyandb.address} unreachable: ${banyandb.message}`, "bad")];
  const { address, version, schema, lines } = banyandb;
  const [words, style] = SCHEMA_WORDS[schema];
  return [
    row("banyandb", `${address}, API version ${version ?? "unknown"}, ${words}`, style),
    ...lines.map((line) => row("", line)),
  ];
}

function memoryRows({ kernel }: CheckReport): Row[] {
  if (kernel.state === "fails") return [];
  const { possibleCpus, bytes, bytesOnLargeMachine } = kernel.memory;
  const text =
    `${bytes} bytes (${megabytes(bytes)}) of kernel memory at ${possibleCpus} possible CPUs, ` +
    `${megabytes(bytesOnLargeMachine)} at ${LARGE_CPUS}`;
  return [row("memory", text), ...pinRows(kernel.pins)];
}

const PIN_WORDS = {
  free: "nothing is there yet; `run` begins it",
  used: "a sidecar counts with it",
  kept: "counts and journal of an earlier sidecar wait for `run`",
  refused: "cannot be used",
} as const;

function pinRows(pins: PinCheck | undefined): Row[] {
  if (!pins) return [row("pins", "off: a restart loses what is not delivered (kernel.pin_path)")];
  const { path, state, reason, journalBytes } = pins;
  const text = `${path}: ${PIN_WORDS[state]}; journal ${megabytes(journalBytes)} of kernel memory`;
  return [
    row("pins", reason === undefined ? text : `${text} (${reason})`, state === "refused" ? "bad" : "good"),
  ];
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

function volumeText({ rowsPerDay, bytesPerDay }: Volume): string {
  return `at most ${rowsPerDay} rows and ${megabytes(bytesPerDay)} a day on the wire`;
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

function problemRows(report: CheckReport): Row[] {
  return problemsOf(report).flatMap(({ severity, what, cure }) => [
    row("problem", what, severity === "fatal" ? "bad" : "fair"),
    row("  cure", cure),
  ]);
}
