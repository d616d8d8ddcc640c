/**
 * Bytes that the target moved from and to storage. /proc/PID/io has them while a process lives; what it had at
 * its end the exit program adds to a counter, so that nothing is lost with it. Pure but for the reader handed in.
 */
import type { Task } from "./addon.js";

export interface StorageBytes {
  readonly read: bigint;
  readonly write: bigint;
}

export const NO_BYTES: StorageBytes = { read: 0n, write: 0n };

export interface StorageTracker {
  /** Begins to count a process: from its execve on where a program did so already, else from now on. */
  add(task: Task): void;
  /**
   * What was moved since each process was added.
   * @param ended bytes that ended processes of the target had moved in their whole lives, less what those that a
   *   program began to count had moved before
   */
  total(ended: StorageBytes): StorageBytes;
}

const sum = (a: StorageBytes, b: StorageBytes): StorageBytes => ({
  read: a.read + b.read,
  write: a.write + b.write,
});
const max = (a: bigint, b: bigint) => (a > b ? a : b);

/** @param bytesOf what a living process has moved, undefined where it is gone or forbidden */
export function trackStorage(bytesOf: (pid: number) => StorageBytes | undefined): StorageTracker {
  const living = new Map<string, Task>();
  let baseline = NO_BYTES;
  let reached = NO_BYTES;
  return {
    add(task) {
      living.set(keyOf(task), task);
      if (!task.counted) baseline = sum(baseline, bytesOf(task.pid) ?? NO_BYTES);
    },
    total(ended) {
      let total = ended;
      for (const [key, { pid }] of living) {
        const bytes = bytesOf(pid);
        if (bytes) total = sum(total, bytes);
        else living.delete(key);
      }
      // A process may end between the two readings and be in both or in neither: then the next one is right.
      reached = {
        read: max(reached.read, total.read - baseline.read),
        write: max(reached.write, total.write - baseline.write),
      };
      return reached;
    },
  };
}

function keyOf({ tgid, startTimeNs }: Task): string {
  return `${tgid} ${startTimeNs}`;
}

/** read_bytes and write_bytes of /proc/PID/io (kernel: fs/proc/base.c, do_io_accounting). */
export function parseProcIo(text: string): StorageBytes | undefined {
  const read = /^read_bytes: (\d+)$/m.exec(text)?.[1];
  const write = /^write_bytes: (\d+)$/m.exec(text)?.[1];
  return read === undefined || write === undefined ? undefined : { read: BigInt(read), write: BigInt(write) };
}
