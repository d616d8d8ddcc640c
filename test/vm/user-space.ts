/** The programs that a guest runs: those of this machine, with their libraries. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import { packageRoot } from "../support/package-root.js";
import { compiled, PROGRAMS as TEST_PROGRAMS } from "../support/programs.js";

/** Where the package is in the guest; init.sh knows it too. */
export const PACKAGE_FOLDER = "package";
/** Programs that the kernel tests start; for all others busybox has to do. */
export const PROGRAMS: readonly string[] = ["bpftool", "cat", "dd", "setpriv", "truncate", "unshare"];
/** Where they are in the guest; before busybox in its PATH. */
export const PROGRAM_FOLDER = "usr/bin";

export interface UserSpace {
  /** Path of a busybox that needs no library. */
  readonly busybox: string;
  /** All other compiled files: paths in the guest, and here. */
  readonly files: ReadonlyMap<string, string>;
}

/** @param tools compiled programs and BPF objects of the package besides those of the tests */
export function ownUserSpace(tools: readonly string[] = []): UserSpace {
  const files = new Map<string, string>();
  for (const name of PROGRAMS) files.set(join(PROGRAM_FOLDER, name), pathOf(name));
  files.set(join(PROGRAM_FOLDER, "node"), process.execPath);
  files.set(join(PACKAGE_FOLDER, "build/sidecar.node"), join(packageRoot, "build/sidecar.node"));
  for (const path of tools) files.set(join(PACKAGE_FOLDER, relative(packageRoot, path)), path);
  for (const path of [...files.values()].filter((file) => !file.endsWith(".o")))
    for (const library of librariesOf(path)) files.set(library, library);
  for (const name of TEST_PROGRAMS) files.set(join(PACKAGE_FOLDER, "build/test", name), compiled(name));
  return { busybox: "/bin/busybox", files };
}

/** Of a program or shared object: the libraries that it needs, at the paths that they have here. */
function librariesOf(path: string): string[] {
  const lines = execFileSync("ldd", [path], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

function pathOf(program: string): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const path = folders.map((folder) => join(folder, program)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${program} is needed in the guest, and not in PATH here`);
  return path;
}
