/**
 * Everything between a fresh clone and a built program: system packages, npm dependencies, BPF object and
 * addon, TypeScript. Plain Node, quick when nothing is to be done. Writes to standard error only, since
 * standard output belongs to what runs next.
 *
 *   node .ci/setup.mjs [--tests] [--vm]     --tests, --vm: also what only the tests need, or test:vm
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  addSystemFolders,
  hostFacts,
  install,
  instructions,
  missingNeeds,
  packagesFor,
} from "./packages.mjs";
import { StepError, run, step } from "./step.mjs";

/** The root of the project, where every command runs. */
const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs all steps of the set-up; rejects with StepError at the first that fails. */
export async function setUp({ forTests, forVm = false }) {
  process.chdir(root);
  addSystemFolders();
  const steps = [
    ["Node", () => checkNode()],
    ["system packages", (progress) => systemPackages({ forTests, forVm }, progress)],
    ["npm dependencies", dependencies],
    ["addon and BPF object", addon],
    ["TypeScript", compile],
  ];
  for (const [name, action] of steps) await step(process.stderr, name, action);
}

function checkNode() {
  const { engines } = JSON.parse(readFileSync("package.json", "utf8"));
  const [needMajor, needMinor] = engines.node.match(/\d+/g).map(Number);
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return process.version;
  throw new StepError(
    `This is Node ${process.version}; Node ${engines.node} is needed (nodejs.org has it for every Linux).`,
  );
}

async function systemPackages(options, progress) {
  const missing = missingNeeds(options);
  if (missing.length === 0) return "all there";
  const host = hostFacts();
  const packages = packagesFor(missing, host);
  if (packages === undefined || !host.isRoot) throw instructions(missing, packages, host);
  process.stderr.write(`  installing with apt-get: ${packages.join(" ")}\n`);
  await install(packages, progress);
  const still = missingNeeds(options);
  if (still.length > 0) throw instructions(still, packagesFor(still, host), host);
  return "installed";
}

/** No dependency needs its install script, so none is run. */
async function dependencies(progress) {
  const installed = "node_modules/.package-lock.json";
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync("package-lock.json").mtimeMs) {
    return "up to date";
  }
  await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { progress });
  return "installed";
}

async function addon(progress) {
  const jobs = `-j${os.availableParallelism()}`;
  const text = await run("make", ["-C", "addon", "--no-print-directory", jobs], {
    env: { LC_ALL: "C" },
    progress,
  });
  return /^make: (Nothing to be done|'.*' is up to date)/m.test(text) ? "up to date" : "built";
}

/** Compiles only when a source, or what compiles it, has changed: a run of tsc takes seconds even without. */
async function compile(progress) {
  const sources = ["src", "test"].flatMap((folder) => files(folder, ".ts"));
  const stamp = fingerprint([...sources, "tsconfig.json", "package-lock.json"]);
  const stampFile = "dist/.compiled";
  const complete = sameOutputs(sources);
  if (complete && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return "up to date";
  // What has lost its source would still run, and the incremental compiler does not replace what it wrote.
  if (!complete) rmSync("dist", { recursive: true, force: true });
  await run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", ".", "--pretty", "false"], {
    progress,
  });
  mkdirSync("dist", { recursive: true });
  writeFileSync(stampFile, stamp);
  return "compiled";
}

function sameOutputs(sources) {
  const expected = sources.map((path) => join("dist", path.replace(/\.ts$/, ".js"))).sort();
  return files("dist", ".js").join("\n") === expected.join("\n");
}

function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  }
  return hash.digest("hex");
}

/** Sorted paths of all files below a folder whose names end so; none where there is no such folder. */
export function files(folder, ending) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const asked = (option) => process.argv.includes(option);
    await setUp({ forTests: asked("--tests"), forVm: asked("--vm") });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
