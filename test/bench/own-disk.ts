/**
 * A file system on a loop device, so that every page of its device belongs to the server under test, and a trace of
 * what leaves the page cache there: a second count, by the kernel's own tracepoint and none of our programs.
 */
import { once } from "node:events";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface OwnDisk {
  readonly path: string;
  /** As the kernel encodes it: major << 20 | minor (include/linux/kdev_t.h). */
  readonly device: number;
  remove(): void;
}

/** Makes and mounts an ext4 file system; needs root. */
export function makeDisk(sizeMb: number): OwnDisk {
  const folder = mkdtempSync(join(tmpdir(), "own-disk-"));
  const [image, path] = [join(folder, "image"), join(folder, "mount")];
  mkdirSync(path);
  execFileSync("truncate", ["-s", `${sizeMb}M`, image]);
  execFileSync("mkfs.ext4", ["-q", "-F", image]);
  execFileSync("mount", ["-o", "loop", image, path]);
  const numbers = execFileSync("mountpoint", ["-d", path], { encoding: "utf8" }).trim().split(":");
  const [major = 0, minor = 0] = numbers.map(Number);
  return {
    path,
    device: (major << 20) | minor,
    remove() {
      // Lazily: the log of the server is still open in this process.
      execFileSync("umount", ["--lazy", path]);
      rmSync(folder, { recursive: true });
    },
  };
}

export interface DeleteTrace {
  /** Pages that left the page cache of the device so far. */
  pages(): number;
  /** Records that the trace itself lost; the count is a lower bound unless 0. */
  lost(): number;
  stop(): Promise<void>;
}

/** Between a record and its arrival here; the kernel wakes the reader of a trace once a second at most. */
export const TRACE_DELAY_MS = 2000;
const BUFFER_KB = 8192;

export function traceDeletes(device: number): DeleteTrace {
  const tracefs = mkdtempSync(join(tmpdir(), "tracefs-"));
  execFileSync("mount", ["-t", "tracefs", "tracefs", tracefs]);
  const instance = join(tracefs, "instances", `deletes-${process.pid}`);
  mkdirSync(instance);
  const event = join(instance, "events/filemap/mm_filemap_delete_from_page_cache");
  writeFileSync(join(instance, "buffer_size_kb"), String(BUFFER_KB));
  writeFileSync(join(event, "filter"), `s_dev == ${device}`);
  let pages = 0;
  const reader = spawn("cat", [join(instance, "trace_pipe")], { stdio: ["ignore", "pipe", "inherit"] });
  createInterface({ input: reader.stdout }).on("line", (line) => {
    const order = /mm_filemap_delete_from_page_cache: .* order=(\d+)$/.exec(line);
    if (order) pages += 1 << Number(order[1]);
  });
  writeFileSync(join(event, "enable"), "1");
  return {
    pages: () => pages,
    lost() {
      return readdirSync(join(instance, "per_cpu"))
        .map((cpu) => readFileSync(join(instance, "per_cpu", cpu, "stats"), "utf8"))
        .flatMap((stats) => [...stats.matchAll(/^(?:overrun|dropped events): (\d+)$/gm)])
        .reduce((sum, [, lost]) => sum + Number(lost), 0);
    },
    async stop() {
      writeFileSync(join(event, "enable"), "0");
      reader.kill();
      await once(reader, "exit");
      rmdirSync(instance);
      execFileSync("umount", [tracefs]);
      rmdirSync(tracefs);
    },
  };
}
