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

/** Living processes that are remembered: more than can be counted at a time. */
const LIVING_MAX = 64;

/** What must be known again of a tracker whose counters are pinned; numbers are decimal. */
export interface StorageMemory {
  /** What processes had moved before they were counted. */
  readonly before: { readonly read: string; readonly write: string };
  readonly reached: { readonly read: string; readonly write: string };
  /** Living processes that are counted. */
  readonly living: readonly string[];
}

export interface StorageTracker {
  /** Begins to count a process: from its execve on where a program did so already, else from now on. */
  add(task: Task): void;
  /**
   * What was moved since each process was added.
   * @param ended bytes that ended processes of the target had moved in their whole lives, less what those that a
   *   program began to count had moved before
   */
  total(ended: StorageBytes): StorageBytes;
  memory(): StorageMemory;
}

const sum = (a: StorageBytes, b: StorageBytes): StorageBytes => ({
  read: a.read + b.read,
  write: a.write + b.write,
});
const max = (a: bigint, b: bigint) => (a > b ? a : b);

/**
 * @param bytesOf what a living process has moved, undefined where it is gone or forbidden
 * @param exitsAreCounted whether a program adds what a process had moved at its end; else the last reading counts
 * @param saved what a tracker before this one knew
 */
export function trackStorage(
  bytesOf: (pid: number) => StorageBytes | undefined,
  exitsAreCounted: boolean,
  saved?: StorageMemory,
): StorageTracker {
  const living = new Map<string, { pid: number; last: StorageBytes }>();
  let gone = NO_BYTES;
  const known = new Set(saved?.living);
  let baseline = bytesFrom(saved?.before);
  let reached = bytesFrom(saved?.reached);
  return {
    add(task) {
      const now = bytesOf(task.pid) ?? NO_BYTES;
      living.set(keyOf(task), { pid: task.pid, last: now });
      if (!task.counted && !known.has(keyOf(task))) baseline = sum(baseline, now);
    },
    total(ended) {
      let total = ended;
      for (const [key, { pid, last }] of living) {
        const now = bytesOf(pid);
        if (now) living.set(key, { pid, last: now });
        else living.delete(key);
        if (!now && !exitsAreCounted) gone = sum(gone, last);
        total = sum(total, now ?? NO_BYTES);
      }
      total = sum(total, gone);
      // A process may end between the two readings and be in both or in neither: then the next one is right.
      reached = {
        read: max(reached.read, total.read - baseline.read),
        write: max(reached.write, total.write - baseline.write),
      };
      return reached;
    },
    memory: () => ({
      before: textOf(baseline),
      reached: textOf(reached),
      living: [...new Set([...known, ...living.keys()])].slice(-LIVING_MAX),
    }),
  };
}

function textOf({ read, write }: StorageBytes): StorageMemory["before"] {
  return { read: String(read), write: String(write) };
}

function bytesFrom(text: StorageMemory["before"] | undefined): StorageBytes {
  return text ? { read: BigInt(text.read), write: BigInt(text.write) } : NO_BYTES;
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
