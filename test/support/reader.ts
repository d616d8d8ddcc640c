/** Runs reader.c, the workload that knows the truth by cachestat(2). */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from "node:fs";
import { compiled, startProgram } from "./programs.js";

/** What the reader did, by its own count; pages by cachestat(2), storage by /proc/self/io. */
export interface Truth {
  readonly reads: number;
  readonly reads_missed: number;
  readonly pages_requested: number;
  readonly pages_missed: number;
  readonly read_bytes: number;
  readonly direct_bytes: number;
  readonly pages_faulted: number;
  readonly pages_written: number;
  /** By the hints of pattern parts; and those that they covered in full, and left. */
  readonly pages_dropped: number;
  readonly pages_kept: number;
  readonly storage_read_bytes: number;
}

/** What hints did, in pages, by cachestat(2) around each step. */
export interface HintTruth {
  readonly loaded: number;
  readonly used: number;
  readonly wasted: number;
  readonly dropped: number;
  readonly refaulted: number;
  readonly late: number;
}

/** What one DONTNEED did with a part of a file of which some pages are mapped and some dirty, in pages. */
export interface DontneedTruth {
  /** In the whole file before and after. */
  readonly before: number;
  readonly after: number;
  /** In the part that the hint covers in full, of each kind: before, then after. */
  readonly clean: readonly [number, number];
  readonly mapped: readonly [number, number];
  readonly dirty: readonly [number, number];
}

export interface ReaderOptions {
  readonly pattern:
    | "sequential"
    | "random"
    | "unaligned"
    | "eof"
    | "torn"
    | "cold"
    | "mixed"
    | "deep"
    | "parts"
    | "touches"
    | "writes"
    | "pipes"
    | "hold"
    | "cycles"
    | "hints"
    | "dontneed";
  readonly bytes: number;
  readonly ops: number;
  readonly seed?: number;
  /** Further words of its command line, which it ignores. */
  readonly flags?: readonly string[];
  readonly call?:
    | "pread"
    | "read"
    | "readv"
    | "preadv"
    | "preadv2"
    | "preadv of 1024"
    | "sendfile"
    | "sendfile at position"
    | "sendfile to pipe"
    | "splice"
    | "copy_file_range"
    | "io_uring"
    | "io_uring vector"
    | "io_uring fixed"
    | "io_uring worker"
    | "nowait";
}

export interface Reader {
  readonly pid: number;
  /** Lets it work; resolves when it is done, while the process still lives. */
  run(): Promise<Truth>;
  /** The same for pattern hints. */
  runHints(): Promise<HintTruth>;
  /** The same for pattern dontneed. */
  runDontneed(): Promise<DontneedTruth>;
  /** Ends the process. */
  end(): Promise<void>;
}

/** A directory on a disk file system: tmpfs has no page cache that fires events. */
const DISK = "/var/tmp";

/** Path of the compiled reader. */
export const readerBinary = () => compiled("reader");

/** Makes a file of random bytes on a disk, synced, so that nothing writes it back later. */
export function makeFile(
  sizeBytes: number,
  folder: string = DISK,
): { readonly path: string; remove(): void } {
  const path = `${folder}/banyandb-ebpf-sidecar-test-${randomBytes(6).toString("hex")}`;
  const fd = openSync(path, "w");
  const block = randomBytes(1 << 20);
  for (let left = sizeBytes; left > 0; left -= block.length) {
    writeSync(fd, block, 0, Math.min(left, block.length));
  }
  fsyncSync(fd);
  closeSync(fd);
  return {
    path,
    remove: () => {
      unlinkSync(path);
    },
  };
}

/** Where a reader runs, from its execve on. */
export interface ReaderPlace {
  /** Directory of a cgroup. */
  readonly cgroup?: string;
  /** Name of its host, in a namespace of its own. */
  readonly hostName?: string;
  /** A copy of `readerBinary()` to run in its place, by whose name nobody else's reader is known. */
  readonly program?: string;
}

/** What to run before the reader, in the same process. */
function preludeOf({ cgroup, hostName, program }: ReaderPlace): string[] {
  if (program !== undefined) return ["sh", "-c", 'shift && exec "$0" "$@"', program];
  if (cgroup !== undefined) return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup];
  if (hostName === undefined) return [];
  const rename = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"';
  return ["unshare", "--uts", "sh", "-c", rename, hostName];
}

/** Starts a reader; resolves when it waits for its start. */
export async function startReader(
  file: string,
  options: ReaderOptions,
  place: ReaderPlace = {},
): Promise<Reader> {
  const { pattern, bytes, ops, seed = 1, call, flags = [] } = options;
  const args = [
    file,
    pattern,
    String(bytes),
    String(ops),
    String(seed),
    ...(call === undefined ? [] : [call]),
    ...flags,
  ];
  const program = await startProgram("reader", args, preludeOf(place));
  return {
    pid: program.pid,
    run: async () => (await program.work()) as Truth,
    runHints: async () => (await program.work()) as HintTruth,
    runDontneed: async () => (await program.work()) as DontneedTruth,
    end: () => program.end(),
  };
}

/** Pages of a file that are in memory, by cachestat(2). */
export function residentPages(path: string): number {
  return Number(execFileSync(readerBinary(), ["resident", path], { encoding: "utf8" }));
}

/** Adds up the truths of several readers. */
export function sumTruths(truths: readonly Truth[]): Truth {
  const sum = (key: keyof Truth) => truths.reduce((total, truth) => total + truth[key], 0);
  return {
    reads: sum("reads"),
    reads_missed: sum("reads_missed"),
    pages_requested: sum("pages_requested"),
    pages_missed: sum("pages_missed"),
    read_bytes: sum("read_bytes"),
    direct_bytes: sum("direct_bytes"),
    pages_faulted: sum("pages_faulted"),
    pages_written: sum("pages_written"),
    pages_dropped: sum("pages_dropped"),
    pages_kept: sum("pages_kept"),
    storage_read_bytes: sum("storage_read_bytes"),
  };
}
