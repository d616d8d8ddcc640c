/** The first file system of a guest, in the format that the kernel unpacks ("newc", initramfs buffer format). */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { packageRoot } from "../support/package-root.js";

/** Types of files, as st_mode has them. */
const FOLDER = 0o040755;
const PROGRAM = 0o100755;
const DEVICE = 0o020600;

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly content?: Buffer;
  /** Major and minor number of a device. */
  readonly device?: readonly [number, number];
}

/** Loads the modules in the order given, mounts the disks and runs the suites: lines of "TIER FILE...". */
export function makeInitrd(busybox: string, modules: readonly string[], suites: readonly string[]): Buffer {
  const file = (name: string, content: Buffer | string): Entry => ({
    name,
    mode: PROGRAM,
    content: Buffer.from(content),
  });
  return archive([
    ...["bin", "dev", "modules", "root"].map((name) => ({ name, mode: FOLDER })),
    // Before the kernel has mounted anything its first process needs a console.
    { name: "dev/console", mode: DEVICE, device: [5, 1] },
    file("bin/busybox", readFileSync(busybox)),
    file("init", readFileSync(join(packageRoot, "test/vm/guest/init.sh"))),
    file("suites", suites.map((line) => `${line}\n`).join("")),
    ...modules.map((path) => file(`modules/${basename(path)}`, readFileSync(path))),
  ]);
}

function archive(entries: readonly Entry[]): Buffer {
  const all: Entry[] = [...entries, { name: "TRAILER!!!", mode: 0 }];
  return Buffer.concat(all.flatMap((entry, i) => [header(entry, i + 1), aligned(entry.content)]));
}

function header({ name, mode, content, device = [0, 0] }: Entry, inode: number): Buffer {
  const [links, nobody, time, parent, checksum] = [1, 0, 0, 0, 0];
  const nameBytes = name.length + 1;
  const fields = [
    inode,
    mode,
    ...[nobody, nobody],
    links,
    time,
    content?.length ?? 0,
    ...[parent, parent],
    ...device,
    nameBytes,
    checksum,
  ];
  const hex = fields.map((field) => field.toString(16).padStart(8, "0"));
  return aligned(Buffer.from(`070701${hex.join("")}${name}\0`));
}

/** Names and contents end at multiples of four. */
function aligned(bytes: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
