/** What checking an artefact came to, and the table of all. Pure. */

export type Verdict =
  /** `answers`: what a reader would see, one line each; for people to look at. */
  | { readonly kind: "passed"; readonly note: string; readonly answers: readonly string[] }
  | { readonly kind: "failed"; readonly problems: readonly string[] }
  /** The checker could not be had; never the same as passed. */
  | { readonly kind: "not run"; readonly reason: string };

export interface Check {
  readonly artefact: string;
  readonly checker: string;
  /** Takes longer than a commit should wait, or needs what takes that long to get. */
  readonly slow: boolean;
  readonly run: () => Promise<Verdict>;
}

export interface Outcome extends Pick<Check, "artefact" | "checker"> {
  readonly verdict: Verdict;
  readonly seconds: number;
}

export const passed = (note: string, answers: readonly string[] = []): Verdict => ({
  kind: "passed",
  note,
  answers,
});
export const notRun = (reason: string): Verdict => ({ kind: "not run", reason });

/** Passed with the note where there is no problem. */
export function judged(problems: readonly string[], note: string, answers: readonly string[] = []): Verdict {
  return problems.length > 0 ? { kind: "failed", problems } : passed(note, answers);
}

const WORD = { passed: "passed", failed: "FAILED", "not run": "NOT RUN" } as const;

/** One line for each outcome, in columns; the problems of those that failed follow, each with its artefact. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ artefact, checker, verdict, seconds }) => [
    artefact,
    checker,
    WORD[verdict.kind],
    `${seconds.toFixed(1)} s`,
    remark(verdict),
  ]);
  const all = [["artefact", "checker", "verdict", "time", "what it says"], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const problems = outcomes.flatMap(({ artefact, checker, verdict }) =>
    verdict.kind === "failed"
      ? [`${artefact}, ${checker}:`, ...verdict.problems.map((problem) => `  ${problem}`)]
      : [],
  );
  return [...lines, ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
}

/** What those that passed would show, each below its artefact. */
export function answersOf(outcomes: readonly Outcome[]): string {
  return outcomes
    .flatMap(({ artefact, checker, verdict }) =>
      verdict.kind === "passed" && verdict.answers.length > 0
        ? ["", `${artefact}, ${checker}:`, ...verdict.answers.map((answer) => `  ${answer}`)]
        : [],
    )
    .join("\n");
}

function remark(verdict: Verdict): string {
  switch (verdict.kind) {
    case "passed":
      return verdict.note;
    case "not run":
      return verdict.reason;
    case "failed":
      return verdict.problems.length === 1
        ? "1 problem, see below"
        : `${verdict.problems.length} problems, see below`;
  }
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly notRun: number;
}

export function countsOf(outcomes: readonly Outcome[]): Counts {
  const of = (kind: Verdict["kind"]) => outcomes.filter(({ verdict }) => verdict.kind === kind).length;
  return { passed: of("passed"), failed: of("failed"), notRun: of("not run") };
}
