/**
 * A file system on a loop device, so that every page of its device belongs to the server under test. Needs root.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
