/** What `check` says of the place for pins; makes and changes nothing. */
import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { NativeAddon } from "./addon.js";
import { KernelError } from "./errors.js";

export interface PinCheck {
  readonly path: string;
  /** free: nothing is pinned there yet. used: a sidecar counts with it. kept: its pins wait for the next one. */
  readonly state: "free" | "used" | "kept" | "refused";
  readonly reason: string | undefined;
  /** Kernel memory of the journal. */
  readonly journalBytes: number;
}

/** BPF_FS_MAGIC of include/uapi/linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

export function checkPins(addon: NativeAddon, path: string): PinCheck {
  const base = { path, journalBytes: 2 * addon.journalAreaBytes, reason: undefined };
  if (!exists(path)) {
    const reason = `${path} is not below a BPF file system; mount one: mount -t bpf bpf /sys/fs/bpf`;
    return isBpf(path) ? { ...base, state: "free" } : { ...base, state: "refused", reason };
  }
  try {
    addon.openPins(path).close();
    return { ...base, state: "kept" };
  } catch (error) {
    const { code, message } = KernelError.from(error, "open", `pin directory ${path}`);
    return { ...base, state: code === "EBUSY" ? "used" : "refused", reason: message };
  }
}

/** Of the nearest directory that is there. */
function isBpf(path: string): boolean {
  const parent = dirname(path);
  if (parent === path) return false;
  return exists(parent) ? statfsSync(parent).type === BPF_FS_MAGIC : isBpf(parent);
}

/** Not access(2), which knows nothing of capabilities. */
function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
