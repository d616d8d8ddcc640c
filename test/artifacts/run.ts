/**
 * Checks what others read of us with their own tools, and prints one table: `npm run check:artifacts`.
 *
 *   node dist/test/artifacts/run.js [--quick] [--answers] [--results FILE] [WORD...]
 *
 * --quick: what takes less than three minutes together and needs nothing built; --answers: also print what each panel
 * of a dashboard and each widget of a page answers, to be looked at; WORD: only checks whose artefact or checker has it
 * in its name. Exit code 1 where something FAILED; what is NOT RUN counts neither way.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { deploymentChecks } from "./deployment.js";
import { imageChecks } from "./image.js";
import { malChecks } from "./mal-check.js";
import { prometheusChecks } from "./prometheus.js";
import { skywalkingChecks } from "./skywalking-run.js";
import { answersOf, type Check, countsOf, notRun, type Outcome, table, type Verdict } from "./verdict.js";

const { values, positionals } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    answers: { type: "boolean", default: false },
    results: { type: "string" },
  },
  allowPositionals: true,
});

const PROGRESS_MS = 10_000;
let news = "";
const fetching = {
  slow: !values.quick,
  progress: (line: string) => {
    news = line.slice(0, 100);
  },
};

async function timed(check: Check): Promise<Outcome> {
  const { artefact, checker } = check;
  const beganMs = performance.now();
  const seconds = () => (performance.now() - beganMs) / 1000;
  news = "";
  const timer = setInterval(() => {
    process.stderr.write(`  … ${artefact}, ${checker}, ${seconds().toFixed(0)} s${news && `: ${news}`}\n`);
  }, PROGRESS_MS);
  const verdict = await verdictOf(check);
  clearInterval(timer);
  process.stderr.write(`${artefact}, ${checker}: ${verdict.kind}, ${seconds().toFixed(1)} s\n`);
  return { artefact, checker, verdict, seconds: seconds() };
}

async function verdictOf(check: Check): Promise<Verdict> {
  if (check.slow && values.quick) return notRun("takes minutes: npm run check:artifacts");
  try {
    return await check.run();
  } catch (error) {
    return { kind: "failed", problems: [error instanceof Error ? error.message : String(error)] };
  }
}

const prometheus = prometheusChecks(fetching);
const all: readonly Check[] = [
  ...prometheus.checks,
  ...malChecks(fetching),
  ...deploymentChecks(fetching),
  ...imageChecks(fetching),
  ...skywalkingChecks(fetching),
];
const wanted = all.filter(
  ({ artefact, checker }) =>
    positionals.length === 0 || positionals.some((word) => `${artefact} ${checker}`.includes(word)),
);
const outcomes: Outcome[] = [];
try {
  for (const check of wanted) outcomes.push(await timed(check));
} finally {
  await prometheus.close();
}
const counts = countsOf(outcomes);
console.log(table(outcomes));
if (values.answers) console.log(answersOf(outcomes));
console.log(`\n${counts.passed} passed, ${counts.failed} FAILED, ${counts.notRun} NOT RUN`);
if (values.results !== undefined) writeFileSync(values.results, JSON.stringify(counts));
process.exitCode = counts.failed > 0 ? 1 : 0;
