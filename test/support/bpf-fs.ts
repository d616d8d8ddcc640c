/** A BPF file system of the tests' own, and what is pinned in it, by bpftool instead of our code. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface BpfFs {
  readonly path: string;
  remove(): void;
}

export function mountBpfFs(): BpfFs {
  const path = mkdtempSync(join(tmpdir(), "bpf-fs-"));
  execFileSync("mount", ["-t", "bpf", "bpf", path]);
  return {
    path,
    remove() {
      execFileSync("umount", [path]);
      rmdirSync(path);
    },
  };
}

/** Where the header of the journal has the build of the programs (addon/src/journal_map.h). */
const BUILD_OFFSET = 24;
const LAYOUT_OFFSET = 16;

/** Lets the pinned programs, or the maps, look like those of another version. */
export function pretendOther(what: "build" | "layout", pinPath: string): void {
  const journal = ["pinned", `${pinPath}/journal`];
  const key = ["key", "0", "0", "0", "0"];
  const text = execFileSync("bpftool", ["--json", "map", "lookup", ...journal, ...key], { encoding: "utf8" });
  const { value } = JSON.parse(text) as { value: string[] };
  const offset = what === "build" ? BUILD_OFFSET : LAYOUT_OFFSET;
  value[offset] = `0x${(Number(value[offset]) ^ 1).toString(16).padStart(2, "0")}`;
  execFileSync("bpftool", ["map", "update", ...journal, ...key, "value", ...value]);
}

/** Programs, maps and links that the kernel has, by their ids. */
export function kernelObjects(): readonly string[] {
  return ["prog", "map", "link"].flatMap((kind) => {
    const text = execFileSync("bpftool", ["--json", kind, "show"], { encoding: "utf8", maxBuffer: 1 << 26 });
    return (JSON.parse(text) as { readonly id: number }[]).map(({ id }) => `${kind} ${id}`);
  });
}
