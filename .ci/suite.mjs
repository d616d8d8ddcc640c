/** Runs one folder of compiled tests by mocha, live, and returns what came of it. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { files } from "./setup.mjs";
import { ended } from "./step.mjs";

/** A suite whose tests do not end by their own timeouts is stopped. */
const SUITE_LIMIT_MS = 8 * 60_000;
/** Most of it is waiting, and a thousand sidecars in virtual time take minutes on a busy machine. */
const LIMITS_MS = { faults: 40 * 60_000 };
/** After its last test a suite must end by itself: a forgotten timer or socket fails it. */
const EXIT_LIMIT_MS = 10_000;
const WATCH_MS = 500;

/** What loading BPF programs needs of the host; elsewhere such a suite fails, it is never skipped. */
const BPF_NEEDS = [
  { what: "root (try sudo)", here: () => process.getuid() === 0 },
  { what: "the kernel's BTF (/sys/kernel/btf/vmlinux)", here: () => existsSync("/sys/kernel/btf/vmlinux") },
];
/** These tests name their targets by the pids that they see, which are those of the kernel only there. */
const HOST_PIDS = {
  what: "the pid namespace of the host (a container has its own)",
  // PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h
  here: () => readlinkSync("/proc/self/ns/pid") === `pid:[${0xeffffffc}]`,
};
/** Tests of other suites that belong to this one too: F13 (clock), F19 (secrets) and I15 (configuration). */
const BORROWED = {
  faults: ["integration/clock", "integration/security", "e2e/cli", "e2e/reload"].map(
    (name) => `dist/test/${name}.test.js`,
  ),
};
const NEEDS = { kernel: [...BPF_NEEDS, HOST_PIDS], e2e: BPF_NEEDS, faults: BPF_NEEDS };
/** Titles that begin with these labels must be among those of the suite (docs/decisions/0007). */
const LABELS = { faults: [...numbered("F", 23), ...numbered("I", 15)] };

function numbered(letter, count) {
  return Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
}

/**
 * Returns {passed, failed, problem}: the numbers of tests, and in words what else went wrong, undefined when
 * nothing did. `node` is the path of the Node to use, or a list with what starts it and its own options.
 */
export async function runSuite(name, node, env = {}) {
  const missing = (NEEDS[name] ?? []).filter(({ here }) => !here()).map(({ what }) => what);
  if (missing.length > 0) {
    return { passed: 0, failed: 0, problem: `not run, since this is missing: ${missing.join("; ")}` };
  }
  const own = files(`dist/test/${name}`, ".test.js");
  if (own.length === 0) return { passed: 0, failed: 0, problem: `there is no test in test/${name}` };
  const tests = [...own, ...(BORROWED[name] ?? [])];
  const folder = mkdtempSync(join(tmpdir(), "mocha-"));
  try {
    const resultsFile = join(folder, "results.json");
    const limitMs = LIMITS_MS[name] ?? SUITE_LIMIT_MS;
    const problem = await mocha([node].flat(), env, tests, { resultsFile, limitMs });
    if (!existsSync(resultsFile)) return { passed: 0, failed: 0, problem: problem ?? "mocha did not finish" };
    const { passed, failed, labels } = JSON.parse(readFileSync(resultsFile, "utf8"));
    const missing = (LABELS[name] ?? []).filter((label) => !labels.includes(label));
    const untested = missing.length > 0 ? `no test has the label ${missing.join(", ")}` : undefined;
    // mocha's exit code is the number of failures, which are counted already.
    return { passed, failed, problem: failed > 0 ? untested : (problem ?? untested) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Resolves with the problem, or with undefined when mocha ended by itself with exit code 0. */
function mocha([program, ...options], env, tests, { resultsFile, limitMs }) {
  const args = ["--enable-source-maps", "node_modules/mocha/bin/mocha.js", "--reporter", ".ci/reporter.mjs"];
  return new Promise((resolve) => {
    const all = [...options, ...args, "--reporter-option", `results=${resultsFile}`, ...tests];
    const child = spawn(program, all, {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    let problem;
    const kill = (reason) => {
      problem = reason;
      child.kill("SIGKILL");
    };
    let deadline = Date.now() + limitMs;
    let finished = false;
    const watch = setInterval(() => {
      if (!finished && existsSync(resultsFile)) {
        finished = true;
        deadline = Date.now() + EXIT_LIMIT_MS;
      }
      if (Date.now() < deadline) return;
      kill(finished ? "its process does not end: a timer or socket is still open" : "it took too long");
    }, WATCH_MS);
    child.on("error", (error) => {
      problem = error.message;
    });
    child.on("close", (code, signal) => {
      clearInterval(watch);
      resolve(problem ?? (code === 0 ? undefined : `mocha: ${ended(code, signal)}`));
    });
  });
}
