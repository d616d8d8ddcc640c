/** Kernel modules and the order in which they can be loaded, without depmod. */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";

export interface Module {
  readonly name: string;
  /** Uncompressed. */
  readonly content: Buffer;
}

/** The largest module that is wanted, ext4, has about 2 MB. */
const MODULE_MAX_BYTES = 64 << 20;
const MODULE_FILE = /^(.+)\.ko(\.xz|\.zst)?$/;

/**
 * The named modules and all that they need, each after what it needs. A name without a file below `folder` is
 * built into the kernel.
 */
export function loadOrder(folder: string, names: readonly string[]): Module[] {
  const files = new Map<string, string>();
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const [, name] = MODULE_FILE.exec(basename(path)) ?? [];
    if (name !== undefined) files.set(canonical(name), join(folder, path));
  }
  const ordered = new Map<string, Module>();
  const add = (name: string): void => {
    const path = files.get(canonical(name));
    if (path === undefined || ordered.has(canonical(name))) return;
    const content = uncompressed(path);
    for (const needed of needs(content)) add(needed);
    ordered.set(canonical(name), { name: canonical(name), content });
  };
  names.forEach(add);
  return [...ordered.values()];
}

/** The kernel takes both signs for the same. */
function canonical(name: string): string {
  return name.replaceAll("-", "_");
}

function uncompressed(path: string): Buffer {
  if (path.endsWith(".ko")) return readFileSync(path);
  const program = path.endsWith(".xz") ? "xz" : "zstd";
  return execFileSync(program, ["-dc", path], { maxBuffer: MODULE_MAX_BYTES });
}

/** A module says what it needs as the entry `depends` of its section .modinfo, a list of C strings. */
function needs(module: Buffer): string[] {
  const [, names = ""] = /(?:^|\0)depends=([^\0]*)\0/.exec(module.toString("latin1")) ?? [];
  return names.split(",").filter((name) => name !== "");
}
