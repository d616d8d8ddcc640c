/**
 * Sets up, then runs every check and test, and goes on after a failure. The last line is
 * `N passed, N failed`, where each test and each other step counts as one; exit code 1 on a failure.
 *
 *   node .ci/test.mjs [STEP...]     the set-up and these steps only
 */
import { buildSanitized, sanitizedNode, sanitizerEnv } from "./sanitizers.mjs";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { files, setUp } from "./setup.mjs";
import { StepError, run, step } from "./step.mjs";
import { runSuite } from "./suite.mjs";
import { runVms } from "./vm.mjs";

const STEPS = {
  format: (name) => tool(name, "prettier", "--check", "--log-level", "warn", "."),
  lint: (name) => tool(name, "eslint", "--max-warnings", "0", "."),
  "clang-format": (name) => tool(name, "clang-format", "--dry-run", "-Werror", ...sourcesInC()),
  generated: (name) => check(name, process.execPath, ["protos/check-fresh.mjs"]),
  "other-processors": (name) => check(name, "make", ["-C", "addon", "bpf", ...OTHER_PROCESSOR]),
  unit: (name) => suite(name),
  integration: (name) => suite(name),
  kernel: (name) => suite(name),
  sanitizers: (name) => sanitizers(name),
  vm: () => virtualMachines(),
  e2e: (name) => suite(name),
  artifacts: (name) => artifacts(name),
  faults: (name) => suite(name),
  node22: (name) => portableSuites(name, 22),
  node24: (name) => portableSuites(name, 24),
};

/** The BPF programs compile for both processors, whichever this one is. */
const OTHER = process.arch === "arm64" ? "x86" : "arm64";
const OTHER_PROCESSOR = [`ARCH=${OTHER}`, `BUILD=../build/${OTHER}`];

/** Takes minutes and the whole machine: run by name, as `npm run test:faults` does. */
const ONLY_BY_NAME = ["faults"];

const total = { passed: 0, failed: 0 };
const failures = [];

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !Object.hasOwn(STEPS, name));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(", ")}; there are: ${Object.keys(STEPS).join(", ")}`);
  process.exit(2);
}
// Without the set-up nothing that follows would tell anything.
const usual = Object.keys(STEPS).filter((name) => !ONLY_BY_NAME.includes(name));
const steps = chosen.length > 0 ? chosen : usual;
if (await counted("set-up", () => setUp({ forTests: true, forVm: steps.includes("vm") }))) {
  for (const name of steps) await STEPS[name](name);
}
if (failures.length > 0) console.log(`\nFailed: ${failures.join("; ")}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;

/** Runs something that counts as one; true when it succeeded. */
async function counted(name, action) {
  try {
    await action();
    total.passed++;
    return true;
  } catch (error) {
    console.log(error instanceof StepError ? error.message : error.stack);
    total.failed++;
    failures.push(name);
    return false;
  }
}

/** Runs a program that must succeed; its output is shown only when it does not. */
function check(name, program, args) {
  return counted(name, () =>
    step(process.stdout, name, async (progress) => {
      await run(program, args, { progress });
    }),
  );
}

function tool(name, program, ...args) {
  return check(name, `node_modules/.bin/${program}`, args);
}

function sourcesInC() {
  const folders = ["bpf", "addon/src", "test"];
  return folders.flatMap((folder) => [".c", ".cc", ".h"].flatMap((ending) => files(folder, ending)));
}

async function suite(name, node = { path: process.execPath, version: process.version }) {
  const label = `${name} on Node ${node.version}`;
  console.log(label);
  add(label, await runSuite(name, node.path));
}

/** Adds the numbers of a suite, and what kept it from having any, to those of all. */
function add(label, { passed, failed, problem }) {
  total.passed += passed;
  total.failed += failed;
  if (failed > 0) failures.push(label);
  if (problem !== undefined) {
    console.log(`✗ ${label}: ${problem}`);
    total.failed++;
    failures.push(label);
  }
}

/** The suite of the addon again, in a build that notices bad accesses, undefined behaviour and leaks. */
async function sanitizers(name) {
  const built = await counted(name, () => step(process.stdout, "addon with sanitizers", buildSanitized));
  if (!built) return;
  const label = "kernel with sanitizers";
  console.log(label);
  add(label, await runSuite("kernel", sanitizedNode(), sanitizerEnv()));
}

/** The suite of the addon on two other kernels; `npm run test:vm` has all of them. */
async function virtualMachines() {
  const label = "kernel in virtual machines";
  console.log(label);
  add(label, await runVms());
}

/**
 * What others read of us, by their own tools: those that are here, or quick to fetch. What is NOT RUN says so, and counts
 * neither way.
 */
async function artifacts(name) {
  console.log(name);
  const folder = mkdtempSync(join(tmpdir(), "artifacts-"));
  const results = join(folder, "results.json");
  const args = ["dist/test/artifacts/run.js", "--quick", "--results", results];
  const { status } = spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  const counts = existsSync(results) ? JSON.parse(readFileSync(results, "utf8")) : { passed: 0, failed: 1 };
  rmSync(folder, { recursive: true });
  total.passed += counts.passed;
  total.failed += counts.failed;
  if (counts.failed > 0 || status !== 0) failures.push(name);
}

/** The suites that need nothing but Node, on another major version of it, which comes from npm. */
async function portableSuites(name, major) {
  const node = { path: "", version: "" };
  const found = await counted(name, () =>
    step(process.stdout, name, async (progress) => {
      const ask = ["node", "-p", "process.execPath + '\\n' + process.version"];
      const source = ["-y", "--prefer-offline", "-p", `node-linux-${process.arch}@${major}`];
      const text = await run("npx", [...source, "--", ...ask], { progress });
      [, node.path, node.version] = /^(\/.*)\n(v\d.*)$/m.exec(text);
      return node.version;
    }),
  );
  if (!found) return;
  await suite("unit", node);
  await suite("integration", node);
}
