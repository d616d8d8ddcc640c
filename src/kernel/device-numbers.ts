/**
 * Device and inode numbers as kernel events show them, which stat(2) does not always: btrfs shows another
 * device to user space, and a directory of overlayfs is one in each of its layers. Pure.
 */

/** A mount as /proc/PID/mountinfo lists it (kernel: Documentation/filesystems/proc.rst, 3.5). */
export interface Mount {
  readonly major: number;
  readonly minor: number;
  readonly mountPoint: string;
  readonly type: string;
  /** Options of the file system, such as upperdir=. */
  readonly options: ReadonlyMap<string, string>;
}

/** The kernel's dev_t (include/linux/kdev_t.h, MINORBITS 20). */
export function kernelDevice(major: number, minor: number): number {
  return ((major << 20) | minor) >>> 0;
}

/** The kernel's dev_t of a st_dev (glibc: bits/sysmacros.h, gnu_dev_major and gnu_dev_minor). */
export function kernelDeviceOfStat(dev: bigint): number {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
  return kernelDevice(Number(major), Number(minor));
}

/** Spaces and the like are written as octal escapes. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , device = "", , mountPoint = ""] = before.split(" ");
    const [type = "", , options = ""] = after.split(" ");
    const [major, minor] = device.split(":").map(Number);
    if (major === undefined || minor === undefined || mountPoint === "") return [];
    const pairs = options.split(",").map((option): [string, string] => {
      const at = option.indexOf("=");
      return at < 0 ? [option, ""] : [option.slice(0, at), unescape(option.slice(at + 1))];
    });
    return [{ major, minor, mountPoint: unescape(mountPoint), type, options: new Map(pairs) }];
  });
}

/** The mount that a path is on: the last one of the longest mount point. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    const { mountPoint } = mount;
    const contains = mountPoint === "/" || path === mountPoint || path.startsWith(`${mountPoint}/`);
    if (contains && mountPoint.length >= (best?.mountPoint.length ?? 0)) best = mount;
  }
  return best;
}

/** Paths of an overlay's directory in each of its layers, upper first; as the mounter saw them. */
export function overlayLayers({ options, mountPoint }: Mount, path: string): string[] {
  const below = mountPoint === "/" ? path : path.slice(mountPoint.length);
  const layers = [options.get("upperdir"), ...(options.get("lowerdir") ?? "").split(":")];
  return layers.flatMap((layer) => (layer === undefined || layer === "" ? [] : [`${layer}${below}`]));
}
