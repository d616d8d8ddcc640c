/** Finds the target's directories and files on disk, through its own root: no shared volume is needed. */
import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from "node:fs";
import type { KernelDirectory, NativeProbe } from "./addon.js";
import { catalogDirectories, catalogRoots, kindOf, type ComponentDirectory } from "./components.js";
import {
  kernelDevice,
  kernelDeviceOfStat,
  mountOf,
  overlayLayers,
  parseMounts,
  type Mount,
} from "./device-numbers.js";

/** A directory with the number that kernel events would show. */
export interface FoundDirectory extends ComponentDirectory {
  readonly ino: bigint;
  /** As the kernel encodes it. */
  readonly dev: number;
}

/** Files remembered at the start, newest segments first; half of what the kernel can remember. */
const SEEDED_FILES_MAX = 8192;

/** The directories of a process of the target; those that cannot be seen are left out. */
export function scanDirectories(pid: number, commandLine: readonly string[]): FoundDirectory[] {
  const mounts = parseMounts(readOrEmpty(`/proc/${pid}/mountinfo`));
  return catalogRoots(commandLine, linkOrRoot(`/proc/${pid}/cwd`)).flatMap(({ layout, path }) => {
    const groups =
      layout.groups === undefined ? [] : folderNames(`/proc/${pid}/root${path}/${layout.groups}`);
    return catalogDirectories(layout, path, groups).flatMap((directory) => locate(pid, directory, mounts));
  });
}

/** statfs(2), OVERLAYFS_SUPER_MAGIC. */
const OVERLAYFS = 0x794c7630;
/** Times of files are no finer than a tick of the kernel's clock: a younger one may hide a second change. */
const SETTLED_MS = 1000;

/**
 * A text that changes when a directory of the process is made, renamed or removed, and costs much less than a scan.
 * Undefined where that cannot be told: on overlayfs, whose layers change apart, and when one has changed just now.
 */
export function directoriesState(pid: number, commandLine: readonly string[]): string | undefined {
  const states = catalogRoots(commandLine, linkOrRoot(`/proc/${pid}/cwd`)).flatMap(({ layout, path }) => {
    const root = `/proc/${pid}/root${path}`;
    return [
      directoryState(root),
      layout.groups === undefined ? "" : directoryState(`${root}/${layout.groups}`),
    ];
  });
  return states.includes(undefined) ? undefined : states.join(" ");
}

function directoryState(path: string): string | undefined {
  try {
    const { dev, ino, mtimeNs } = statSync(path, { bigint: true });
    const isSettled = Date.now() - Number(mtimeNs / 1_000_000n) >= SETTLED_MS;
    return isSettled && statfsSync(path).type !== OVERLAYFS ? `${dev}:${ino}:${mtimeNs}` : undefined;
  } catch {
    // Not there, or no longer: the process may end between the two calls.
    return "absent";
  }
}

function locate(pid: number, directory: ComponentDirectory, mounts: readonly Mount[]): FoundDirectory[] {
  return underlying(pid, directory.path, mounts).map(({ ino, dev }) => ({ ...directory, ino, dev }));
}

/** A file or directory as kernel events show it, and where this process sees that very one. */
interface Underlying {
  readonly path: string;
  readonly ino: bigint;
  readonly dev: number;
}

/** What is behind a path of a process; on overlayfs, in each of the layers that can be seen. */
function underlying(pid: number, path: string, mounts: readonly Mount[]): Underlying[] {
  const mount = mountOf(mounts, path);
  const paths = mount?.type === "overlay" ? overlayLayers(mount, path) : [`/proc/${pid}/root${path}`];
  return paths.flatMap((seen) => {
    const status = statOrNothing(seen);
    if (!status) return [];
    // btrfs gives each subvolume a device of its own in stat(2), and none of them to the kernel's events.
    const dev =
      mount?.type === "btrfs" ? kernelDevice(mount.major, mount.minor) : kernelDeviceOfStat(status.dev);
    return [{ path: seen, ino: status.ino, dev }];
  });
}

/** The program that a process runs; nothing where its file is gone or cannot be seen. */
export function programFiles(pid: number): Underlying[] {
  const program = linkOrRoot(`/proc/${pid}/exe`);
  return program === "" ? [] : underlying(pid, program, parseMounts(readOrEmpty(`/proc/${pid}/mountinfo`)));
}

/** Remembers files that were cached before the start, which a later event may show without their directory. */
export function seedFiles(
  probe: NativeProbe,
  pid: number,
  directory: FoundDirectory,
  asKernel: KernelDirectory,
): number {
  let seeded = 0;
  const walk = (below: string): void => {
    const folder = `/proc/${pid}/root${directory.path}${below}`;
    // Segments are named by their time.
    const entries = entriesOf(folder).sort((a, b) => (a.name < b.name ? 1 : -1));
    for (const entry of entries) {
      if (seeded >= SEEDED_FILES_MAX) return;
      const path = `${below}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && probe.seedFile(`${folder}/${entry.name}`, asKernel, kindOf(path.slice(1))))
        seeded++;
    }
  };
  if (directory.dbGroup !== "n/a" || directory.catalog === "schema") walk("");
  return seeded;
}

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    // Gone or forbidden: its files stay of unknown component, which is shown.
    return [];
  }
}

function folderNames(path: string): string[] {
  return entriesOf(path).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function statOrNothing(path: string) {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function linkOrRoot(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
