/** What became of a boot, as lines of the table, and what the whole adds up to. Pure. */
import type { Outcome } from "./boot.js";
import type { Boot } from "./kernels.js";
import { parseSerial } from "./serial.js";

/** One kernel, booted in one way, at one tier. */
export interface Row {
  readonly series: string;
  readonly version: string;
  readonly preemption: string;
  readonly tier: string;
  readonly passed: number;
  readonly failed: number;
  /** What else went wrong; undefined when nothing did. */
  readonly problem: string | undefined;
  /** To be shown when it did not pass. */
  readonly log: string;
}

/** An oops or a panic with its stack and registers. */
const CONSOLE_LINES = 80;

type Kernel = Pick<Row, "series" | "version">;

/** One row for each tier of the boot, with or without results. */
export function rowsOf({ series, version }: Kernel, wanted: Boot, outcome: Outcome): Row[] {
  const report = parseSerial(outcome.serial);
  const wrongMode = wanted.preemption === "full" && report.preemption !== "full";
  const general =
    outcome.problem ??
    (report.complete ? undefined : "it crashed") ??
    (wrongMode ? `it runs with preempt=${report.preemption}` : undefined);
  const console = `console:\n${outcome.console.split("\n").slice(-CONSOLE_LINES).join("\n")}`;
  return wanted.tiers.map((tier) => {
    const suite = report.suites.find((one) => one.tier === tier);
    return {
      series,
      version,
      preemption: wanted.preemption === "full" ? "full" : report.preemption,
      tier,
      passed: suite?.passed ?? 0,
      failed: suite?.failed ?? 0,
      problem: general ?? (suite === undefined ? "the tests did not begin" : suite.problem),
      log: [suite?.log ?? "", ...(general === undefined ? [] : [console])].join("\n").trim(),
    };
  });
}

/** Rows of a boot that did not take place, and the reason. */
export function rowsWithout({ series, version }: Kernel, { preemption, tiers }: Boot, reason: string): Row[] {
  const [problem = ""] = reason.split("\n");
  return tiers.map((tier) => ({
    series,
    version,
    preemption,
    tier,
    passed: 0,
    failed: 0,
    problem,
    log: reason,
  }));
}

export function hasPassed({ passed, failed, problem }: Row): boolean {
  return passed > 0 && failed === 0 && problem === undefined;
}

/** The table, with a line for each series that no mirror serves any longer. */
export function formatTable(rows: readonly Row[], absent: readonly string[]): string {
  return inColumns([
    ["kernel", "preemption", "tier", "passed", "failed", "verdict"],
    ...absent.map((series) => [series, "", "", "", "", "NOT TO BE HAD"]),
    ...rows.map((row) => [
      row.version,
      row.preemption,
      row.tier,
      String(row.passed),
      String(row.failed),
      row.problem ?? (hasPassed(row) ? "ok" : "FAILED"),
    ]),
  ]);
}

/** Lines of cells, below the first of them. */
export function inColumns(cells: readonly (readonly string[])[]): string {
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Tests that passed and failed; whatever else went wrong counts as one failure each. */
export function total(
  rows: readonly Row[],
  kernelsMin: number,
): { passed: number; failed: number; problems: string[] } {
  const kernels = new Set(
    rows.filter(({ passed, failed }) => passed + failed > 0).map(({ series }) => series),
  ).size;
  const problems = rows.flatMap(({ version, problem }) =>
    problem === undefined ? [] : [`${version}: ${problem}`],
  );
  if (kernels < kernelsMin) problems.push(`kernels that ran: ${kernels}, but wanted: ${kernelsMin}`);
  const sum = (key: "passed" | "failed") => rows.reduce((count, row) => count + row[key], 0);
  return { passed: sum("passed"), failed: sum("failed") + problems.length, problems };
}
