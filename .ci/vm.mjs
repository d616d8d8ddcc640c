/** The kernel tests on two other kernels, booted in virtual machines: the oldest of tier tracing, and one before it. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ended } from "./step.mjs";

const CHOICE = ["--kernels", "6.1,6.12", "--preemption", "default", "--tiers", "auto"];
/** Of the newer one: all suites together take a guest more than five minutes. */
const SUITES = ["--suites", "reads,evictions"];
/** Fetching takes a minute where nothing is cached, both boots together four. */
const LIMIT_MS = 10 * 60_000;

/** Returns {passed, failed, problem} as runSuite() does. */
export async function runVms() {
  const folder = mkdtempSync(join(tmpdir(), "vm-results-"));
  try {
    const resultsFile = join(folder, "results.json");
    const problem = await run(["dist/test/vm/run.js", ...CHOICE, ...SUITES, "--results", resultsFile]);
    if (!existsSync(resultsFile)) return { passed: 0, failed: 0, problem: problem ?? "it did not finish" };
    const { passed, failed } = JSON.parse(readFileSync(resultsFile, "utf8"));
    return { passed, failed, problem: failed > 0 ? undefined : problem };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Resolves with the problem, or with undefined when it ended with exit code 0. */
function run(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
    let problem;
    const timer = setTimeout(() => {
      problem = "it took too long";
      // Its guests end with it.
      child.kill("SIGTERM");
    }, LIMIT_MS);
    child.on("error", (error) => {
      problem = error.message;
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve(problem ?? (code === 0 ? undefined : ended(code, signal)));
    });
  });
}
