/** The native addon, typed. The only file that loads it. */
import { createRequire } from "node:module";
import { KernelError } from "./errors.js";

/** A question to the kernel may also remain without an answer. */
export type Answer = "yes" | "no" | "unknown";

export interface HookFact {
  /** Name of the BPF program, such as on_add. */
  readonly program: string;
  /** What it hooks, such as tp_btf/mm_filemap_add_to_page_cache. */
  readonly hook: string;
  readonly exists: Answer;
  /** Why not, or why unknown; else empty. */
  readonly reason: string;
  /** The kernel has it, and lets nobody hook it. */
  readonly refused?: true;
}

export interface KernelFacts {
  readonly release: string;
  /** Its build as uname(2) says, such as `#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1`. */
  readonly version: string;
  /** As uname(2) says, such as x86_64. */
  readonly machine: string;
  readonly possibleCpus: number;
  readonly pageBytes: number;
  readonly btf: Answer;
  /** Whether this process may load tracing programs. */
  readonly permission: Answer;
  /** The failed attempt, with what is missing; else empty. */
  readonly permissionReason: string;
  /** Whether programs on raw tracepoints can be preempted, and lose events then. */
  readonly preemptibleRawTracepoints: Answer;
  /** none, voluntary, full or lazy; empty where it cannot be had. */
  readonly preemptMode: string;
  readonly hooks: readonly HookFact[];
}

export interface NativeProgram {
  readonly name: string;
  readonly hook: string;
  /** Loaded only, to be attached by `useRecords`. */
  readonly spare: boolean;
  /** Loaded, and attached and detached by `sample`. */
  readonly sampled: boolean;
  readonly attached: boolean;
  /** Goes on counting when this process ends. */
  readonly pinned: boolean;
  /** Why it is not attached, or not pinned. An Error with code, errno, operation, object and hint. */
  readonly error?: Error;
}

/** A process, as seen from this one's pid namespace. */
export interface Task {
  readonly pid: number;
  /** Its number in the initial pid namespace, which is what the kernel counts by. */
  readonly tgid: number;
  /** Start of the process since boot: tells two lives of one pid apart. */
  readonly startTimeNs: bigint;
  readonly comm: string;
  /**
   * Its cgroup and the one above, by their inode numbers in the cgroup file system; 0 where there is none. Of the
   * hierarchy that the memory controller is in: v1 where it has one of its own, else v2.
   */
  readonly cgroup: bigint;
  readonly parentCgroup: bigint;
  /** As uname(2) tells it to the process: in a container that of the container, so of the pod. */
  readonly hostName: string;
  /** Whether a program has counted it from its execve on. */
  readonly counted: boolean;
}

export interface NativeStats {
  /** Memory that the kernel accounts to the maps, in bytes. */
  readonly mapBytes: number;
  readonly programs: readonly {
    readonly name: string;
    readonly recursionMisses: bigint;
    readonly runCount: bigint;
    readonly runTimeNs: bigint;
  }[];
}

/** Of what is pinned as a whole. */
export interface PinHeader {
  /** Whether there are maps, and programs that count; else their making was interrupted, or not begun. */
  readonly complete: boolean;
  /** What the values in the maps mean. */
  readonly layout: bigint;
  /** Which programs count. */
  readonly build: bigint;
  /** Of the maps: the counters began at 0 with it. */
  readonly incarnation: bigint;
  /** Of the valid state of the journal, which is in the area of its lowest bit; 0: there is none. */
  readonly sequence: bigint;
}

/** A pin directory, which this process alone has until it closes it or ends. */
export interface NativePins {
  readonly header: PinHeader;
  /** Bytes of one of the two areas. */
  readJournal(area: number, offset: number, length: number): Uint8Array;
  writeJournal(area: number, offset: number, bytes: Uint8Array): void;
  /** Makes the state with this number the valid one, by one store. */
  switchJournal(sequence: bigint): void;
  /** Ends the counting of pinned programs, whatever their layout; the maps stay. */
  endCounting(): void;
  /** All values of a pinned array one after the other, whatever its layout; empty where there is none. */
  readArray(map: string): Uint8Array;
  /** Removes everything but the journal. */
  clear(): void;
  /** Removes everything, and nothing that is not the sidecar's. */
  unload(): void;
  close(): void;
}

/** A rule for names of files; `tag` is f (whole name), e (extension) or d (name of a directory above). */
export interface KernelName {
  readonly tag: string;
  readonly text: string;
  readonly kind: number;
}

/** A directory whose files belong to component `base` + kind. */
export interface KernelDirectory {
  readonly ino: bigint;
  /** As the kernel encodes it. */
  readonly dev: number;
  readonly base: number;
  /** Number of the target that it belongs to. */
  readonly identity: number;
}

/** Who is counted from his execve on. */
export interface ExecEntry {
  /** Name of the executed file as the kernel cuts it for threads; empty for any. */
  readonly name: string;
  /** Of the process, or of one of up to 7 above its own, as in `Task`; 0 for any. */
  readonly cgroup: bigint;
  readonly identity: number;
}

export interface NativeProbe {
  readonly programs: readonly NativeProgram[];
  /** Grows with every execve that program on_exec sees, and with every end of a target that on_exit sees. */
  readonly processChanges: number;
  tasks(): Task[];
  /**
   * Replaces the counted processes; at most `targetsMax`. Those that a program has taken at their execve since
   * the last `tasks()` stay.
   * @param identities under which each is counted, in the same order; without them all under the first
   */
  setTargets(tgids: readonly number[], identities?: readonly number[]): void;
  /** Replaces what processes are counted by from their execve on, first match first; at most `execEntriesMax`. */
  setExecEntries(entries: readonly ExecEntry[]): void;
  setNames(names: readonly KernelName[]): void;
  /** Replaces the directories; at most `devicesMax` devices. */
  setDirectories(directories: readonly KernelDirectory[]): void;
  /** Remembers the component of a file below a directory; false where that cannot be done on its file system, or it is known. */
  seedFile(path: string, directory: KernelDirectory, kind: number): boolean;
  /** Sums over all CPUs into `[component][counter]`, for as many components as `into` holds. */
  readCounters(into: BigUint64Array): void;
  /** Sums over all CPUs into `[scope][counter]`: the identities, then the node. */
  readPressure(into: BigUint64Array): void;
  /** Sums over all CPUs into `[identity][advice][counter]`. */
  readHints(into: BigUint64Array): void;
  /**
   * Sums over all CPUs into `[identity][outcome][value]`: reads by bucket, of which number i holds those of up to 2^i µs, then
   * their time in ns.
   */
  readLatencies(into: BigUint64Array): void;
  /** Attaches the sampled programs, or detaches them; false where they are not attached now. */
  sample(on: boolean): boolean;
  /** Attaches the spare programs and lets them count; false, and nothing changes, where that cannot be. */
  useRecords(): boolean;
  /** Begins a new interval, in which each task counts as another one. */
  nextInterval(): void;
  stats(): NativeStats;
  /** Lets pinned programs count for so many more nanoseconds. */
  keepAlive(timeoutNs: bigint): void;
  /** How long pinned programs had not counted when they were opened, because nobody read them. */
  readonly orphanedNs: bigint;
  /**
   * Lets the kernel add up how long BPF programs run, until `endStatistics`; all of the machine cost more meanwhile.
   * @throws an Error with code EPERM without CAP_SYS_ADMIN, EINVAL before 5.8
   */
  beginStatistics(): void;
  /** Idempotent. */
  endStatistics(): void;
  /** How long the programs of this probe ran while the kernel added it up, in ns. */
  runTimeNs(): bigint;
  /** Ends the counting, but for pinned programs; counters and programs stay readable. Idempotent. */
  detach(): void;
  /** Releases everything. Idempotent. */
  close(): void;
}

export interface NativeAddon {
  probeFeatures(): KernelFacts;
  /** Gives back what only the start of the process needed: freed memory, and pages of the program files. */
  releaseStartMemory(): void;
  /** Loads the named programs and attaches those of `programs`; throws where none can be loaded. */
  open(options: {
    readonly programs: readonly string[];
    readonly spare?: readonly string[];
    readonly sampled?: readonly string[];
    /** Where maps and programs outlive this process; those that are there go on. */
    readonly pins?: NativePins;
  }): NativeProbe;
  /**
   * Opens and locks a pin directory; makes it where it is missing.
   * @throws Error with code EBUSY where another process has it, EEXIST where it holds something foreign, EBADMSG
   *   where what is pinned is damaged, EOPNOTSUPP where there is no file system for BPF
   */
  openPins(path: string): NativePins;
  /** What the values in the maps of this build mean on this machine. */
  layout(): bigint;
  readonly journalAreaBytes: number;
  /**
   * Kernel memory in bytes that the maps for these programs take on a machine with so many possible CPUs; a
   * computation, that loads nothing.
   */
  mapBytes(programs: readonly string[], possibleCpus: number): number;
  readonly counterNames: readonly string[];
  readonly pressureNames: readonly string[];
  readonly adviceNames: readonly string[];
  readonly hintNames: readonly string[];
  readonly readOutcomes: readonly string[];
  /** How many there are; number i holds latencies of up to 2^i µs, the last one all beyond too. */
  readonly latencyBuckets: number;
  readonly componentsMax: number;
  /** Kinds of files that fit below a base. */
  readonly fileKinds: number;
  readonly devicesMax: number;
  readonly targetsMax: number;
  /** Targets that can be counted apart. The first so many components are their files of unknown component. */
  readonly identitiesMax: number;
  readonly execEntriesMax: number;
}

/**
 * Loads the addon that `make -C addon` built.
 * @param packageRoot directory that holds build/
 * @throws KernelError
 */
export function loadAddon(packageRoot: string): NativeAddon {
  const path = `${packageRoot}/build/sidecar.node`;
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (error) {
    const { message, code } = KernelError.from(error, "load the addon", path);
    throw new KernelError({
      message,
      code,
      operation: "load the addon",
      object: path,
      hint: loadHint(message),
      cause: error,
    });
  }
}

/** What may help, by what the dynamic linker or Node says. */
function loadHint(message: string): string {
  const library = /(lib\w+)\.so\S*: cannot open shared object file/.exec(message)?.[1];
  if (library !== undefined) {
    return `install ${library} (Debian 12 and later, Ubuntu 24.04 and later: apt-get install libbpf1)`;
  }
  const ready = "the addon in the package is for x86-64 and glibc 2.33 or later";
  return `${ready}; elsewhere build it in a clone of the project: make -C addon`;
}
