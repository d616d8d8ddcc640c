/** What a guest has for files: its programs, and this package as it is built here. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../support/package-root.js";
import { HEADERS, PROGRAMS as TEST_PROGRAMS } from "../support/programs.js";
import { PACKAGE_FOLDER, type UserSpace } from "./user-space.js";

/** What the package needs of its own tree. */
const PACKAGE: readonly string[] = [
  ".ci/reporter.mjs",
  "dist",
  "package.json",
  "schema",
  "test/bench",
  ...[...TEST_PROGRAMS.map((name) => `${name}.c`), ...HEADERS].map((name) => `test/support/${name}`),
  "test/vm/guest",
];
/** Development dependencies that run the tests. */
const TEST_DEPENDENCIES: readonly string[] = ["chai", "mocha"];
const FOLDERS: readonly string[] = ["bin", "dev", "proc", "run", "sys", "tmp", "var/tmp"];
const BUSYBOX = "/bin/busybox";

/** ext4 needs room for its own tables. */
const ROOT_SPARE_BYTES = 32 << 20;
/** The files of the largest test have 200 MB together. */
const SCRATCH_BYTES = 1 << 30;

/** Two forms of the same. */
export interface GuestFiles {
  /** The root as a folder, to be shared with guests that cannot have disks. */
  readonly folder: string;
  /** The root as a disk. */
  readonly root: string;
  /** An empty disk, on which the tests make their files. */
  readonly scratch: string;
}

/** Makes all in `work`. */
export function makeGuestFiles(work: string, userSpace: UserSpace, pageBytes: number): GuestFiles {
  const files = {
    folder: join(work, "root"),
    root: join(work, "root.ext4"),
    scratch: join(work, "scratch.ext4"),
  };
  for (const name of FOLDERS) mkdirSync(join(files.folder, name), { recursive: true });
  addPrograms(files.folder, userSpace);
  addPackage(join(files.folder, PACKAGE_FOLDER));
  const rootBytes = sizeOf(files.folder) + ROOT_SPARE_BYTES;
  makeFileSystem(files.root, rootBytes, ["-O", "^has_journal", "-d", files.folder]);
  // Else the last page of a file would be read in a part.
  makeFileSystem(files.scratch, SCRATCH_BYTES, ["-b", String(pageBytes)]);
  return files;
}

function addPrograms(tree: string, { busybox, files }: UserSpace): void {
  copy(busybox, join(tree, BUSYBOX));
  for (const applet of lines(execFileSync(BUSYBOX, ["--list"], { encoding: "utf8" }))) {
    if (applet !== "busybox") symlinkSync("busybox", join(tree, "bin", applet));
  }
  for (const [path, from] of files) copy(from, join(tree, path));
}

function addPackage(folder: string): void {
  for (const path of [...PACKAGE, ...dependencies()]) {
    const [from, to] = [join(packageRoot, path), join(folder, path)];
    // Times matter: a compiled program that is older than its source would be compiled again.
    cpSync(from, to, { recursive: true, dereference: true, preserveTimestamps: true });
  }
}

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Folders of the packages that run here, with all that they need in turn. */
function dependencies(): string[] {
  const file = readFileSync(join(packageRoot, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(file) as { packages: Record<string, LockedPackage> };
  const found = new Set<string>();
  const add = (name: string, neededBy: string): void => {
    const path = placesOf(name, neededBy).find((place) => place in packages);
    if (path === undefined || found.has(path) || !existsSync(join(packageRoot, path))) return;
    found.add(path);
    const needs = { ...packages[path]?.dependencies, ...packages[path]?.optionalDependencies };
    for (const needed of Object.keys(needs)) add(needed, path);
  };
  for (const name of [...Object.keys(packages[""]?.dependencies ?? {}), ...TEST_DEPENDENCIES]) add(name, "");
  return [...found];
}

/** Where Node looks for a package that the one at `from` imports, nearest first. */
function placesOf(name: string, from: string): string[] {
  const place = join(from, "node_modules", name);
  return from === ""
    ? [place]
    : [place, ...placesOf(name, from.slice(0, from.lastIndexOf("node_modules")).replace(/\/$/, ""))];
}

function makeFileSystem(file: string, bytes: number, options: readonly string[]): void {
  const kibibytes = `${Math.ceil(bytes / 1024)}k`;
  execFileSync("mkfs.ext4", ["-q", "-F", ...options, file, kibibytes]);
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** Bytes of all files in whole blocks. */
function sizeOf(tree: string): number {
  const sizes = readdirSync(tree, { recursive: true, encoding: "utf8" }).map((path) => {
    const { size } = lstatSync(join(tree, path));
    return Math.ceil(size / 4096) * 4096;
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
