/** What this process holds open, by the kernel's own list: Node does not list sockets that are not in use. */
import { readdirSync, readlinkSync } from "node:fs";

export interface Descriptors {
  readonly all: number;
  readonly sockets: number;
}

export function ownDescriptors(): Descriptors {
  const links = readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // That of the listing itself is closed again.
      return [];
    }
  });
  return { all: links.length, sockets: links.filter((link) => link.startsWith("socket:")).length };
}
