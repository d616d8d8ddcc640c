/**
 * `npm run check:package`: the package as a user gets it. Packs it, installs it into an empty folder with an empty
 * home and nothing in PATH but Node and a shell (so no compiler), and runs it by npx. Then on machines that it is
 * not for: the words must say what to do. Prints one line for each check.
 *
 *   node .ci/check-package.mjs
 */
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** What it is built for; npm ends with EBADPLATFORM elsewhere. */
const PLATFORM = { os: ["linux"], cpu: ["x64"], libc: ["glibc"] };
const PROGRAM = "banyandb-ebpf-sidecar";
/** Whether this process may load programs is the host's affair; all but "wrong usage" and a crash is right. */
const CHECK_CODES = [0, 1, 77];
/** A registry that does not answer must not hang it. */
const STEP_MS = 120_000;
/** More than the sum of what is in it: a folder that slipped in shows. */
const PACKED_MAX_BYTES = 3 << 20;

const folder = mkdtempSync(join(tmpdir(), "package-"));
let failed = 0;
try {
  checkAll();
} finally {
  rmSync(folder, { recursive: true });
}
process.exitCode = failed > 0 ? 1 : 0;

function checkAll() {
  const tarball = pack();
  const home = join(folder, "home");
  const work = join(folder, "work");
  for (const path of [home, work]) mkdirSync(path);
  // npm itself runs `sh`; env is in the first line of the program.
  const bin = onlyPrograms(["node", "npm", "npx", "sh", "env"]);
  const env = { HOME: home, PATH: bin, npm_config_cache: join(folder, "cache") };
  const at = (program, ...args) =>
    spawnSync(program, args, { cwd: work, env, encoding: "utf8", timeout: STEP_MS });

  const compilers = ["cc", "gcc", "g++", "clang", "make", "python3"].filter((name) => found(name, bin));
  report("no compiler in PATH", compilers.length === 0, compilers.join(" "));
  const install = at("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", tarball);
  report("installs into an empty folder, without any script", install.status === 0, install.stderr);
  const installed = join(work, "node_modules", PROGRAM);
  const version = at("npx", "--no-install", PROGRAM, "--version");
  report("npx --version", version.stdout.trim() === packageJson().version, version.stderr);
  const check = at("npx", "--no-install", PROGRAM, "check", "--json");
  const answer = parsed(check.stdout);
  const loaded = typeof answer?.host === "string" && CHECK_CODES.includes(check.status);
  report("npx check", loaded, `exit code ${check.status}: ${check.stderr || check.stdout}`);
  report(`  says: ${answer?.host}, tier ${answer?.tier}; ${answer?.verdict}`, loaded, "");

  refuses(at, installed);
}

/** Packs the project; the path of the tarball. */
function pack() {
  const result = spawnSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (result.status !== 0) throw new Error("npm pack failed");
  const [packed] = JSON.parse(result.stdout.slice(result.stdout.indexOf("[")));
  const paths = packed.files.map(({ path }) => path);
  const needed = ["build/sidecar.node", "dist/built.json", "dist/src/main.js", "schema/page_cache.json"];
  const missing = needed.filter((path) => !paths.includes(path));
  report("holds the addon with the programs, and the schema", missing.length === 0, missing.join(" "));
  const { os, cpu, libc, scripts } = packageJson();
  const limited = JSON.stringify({ os, cpu, libc }) === JSON.stringify(PLATFORM);
  report("npm refuses it elsewhere than on linux, x64, glibc", limited, JSON.stringify({ os, cpu, libc }));
  const atInstall = ["preinstall", "install", "postinstall"].filter((name) => name in scripts);
  report("has no script for the installation", atInstall.length === 0, atInstall.join(" "));
  const strange = paths.filter((path) => /^(src|test|bpf|addon|node_modules)\//.test(path));
  report("holds nothing else", strange.length === 0, strange.join(" "));
  report(
    `${(packed.size / 1e6).toFixed(1)} MB packed, ${(packed.unpackedSize / 1e6).toFixed(1)} MB unpacked`,
    packed.size <= PACKED_MAX_BYTES,
    `more than ${PACKED_MAX_BYTES} bytes`,
  );
  return join(folder, packed.filename);
}

/** A library that is not there, and a C library that is too old: by an addon whose needs are made so. */
function refuses(at, installed) {
  const addon = join(installed, "build/sidecar.node");
  const original = readFileSync(addon);
  const run = (what, from, to, words) => {
    const text = original.toString("latin1");
    if (!text.includes(from)) return report(what, false, `the addon has no ${from}`);
    writeFileSync(addon, Buffer.from(text.replaceAll(from, to), "latin1"));
    const { status, stdout, stderr } = at("npx", "--no-install", PROGRAM, "check");
    report(what, status === 1 && words.test(stdout), `exit code ${status}: ${stdout}${stderr}`);
  };
  run("says what to do without libbpf", "libbpf.so.1\0", "libbpf.so.7\0", /cure .*apt-get install libbpf1/);
  run(
    "says what to do where the C library is another",
    "libc.so.6\0",
    "libc.so.7\0",
    /cure .*libc|cure .*glibc/,
  );
  rmSync(addon);
  const { status, stdout } = at("npx", "--no-install", PROGRAM, "check");
  report("says what to do without an addon", status === 1 && /cure .*glibc 2\.33/.test(stdout), stdout);
}

/** A folder with these programs only. */
function onlyPrograms(names) {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const name of names) {
    const beside = join(dirname(process.execPath), name);
    const path =
      name === "node" ? process.execPath : found(name, `${dirname(process.execPath)}:${process.env.PATH}`);
    symlinkSync(path ?? beside, join(bin, name));
  }
  return bin;
}

/** Path of a program in these folders; undefined where it is in none. */
function found(name, path) {
  for (const directory of path.split(":")) {
    const candidate = join(directory, name);
    if (spawnSync("/bin/sh", ["-c", '[ -x "$1" ]', "sh", candidate]).status === 0) return candidate;
  }
  return undefined;
}

function packageJson() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function report(what, ok, detail) {
  if (!ok) failed++;
  console.log(`${ok ? "✓" : "✗"} ${what}${ok ? "" : `: ${detail.trim()}`}`);
}
