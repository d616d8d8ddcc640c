/** What the agent knows of the kernel side, whichever tier it is. */
import type { NodeConfig } from "../config/config.js";
import type { CounterLayout } from "../model/counters.js";
import type { KernelStatus } from "../model/status.js";
import type { Component } from "./components.js";
import type { KernelMemory } from "./kernel-memory.js";
import type { PressureFiles } from "./pressure-files.js";
import type { StorageBytes } from "./storage-bytes.js";

/** Counters by name. */
export type NamedCounters = Readonly<Record<string, bigint>>;

/** Memory pressure, as programs count it and as the kernel's files have it. */
export interface PressureReading {
  readonly counted: NamedCounters;
  readonly files: PressureFiles;
}

/** Reads that were timed, of one outcome. */
export interface TimedReads {
  /** Number i holds those of up to 2^i µs. */
  readonly buckets: readonly bigint[];
  readonly sumNs: bigint;
}

/** What is counted for an identity beside its components. */
export interface IdentityReading {
  readonly pressure: PressureReading;
  /** By advice. */
  readonly hints: Readonly<Record<string, NamedCounters>>;
  readonly storage: StorageBytes;
  /** By outcome; empty where reads are not timed. */
  readonly timed: Readonly<Record<string, TimedReads>>;
}

/** Everything that one read-out gives; all numbers only grow. */
export interface KernelReading {
  /** `[component][counter]` for the components in use. */
  readonly counters: BigUint64Array;
  /** By number, as `Kernel.identities()` at that moment. */
  readonly identities: readonly IdentityReading[];
  readonly node: PressureReading;
  /** Time in which reads were timed, in milliseconds; undefined where they cannot be, or are not to be. */
  readonly sampledMs: bigint | undefined;
}

/** What a collector needs of it. */
export interface CountedKernel {
  readonly layout: CounterLayout;
  /** Counters that this kernel can have; the others are absent. */
  readonly available: ReadonlySet<string>;
  /** Names of a component number. */
  describe(component: number): Component;
  /** Number of the identity that a component belongs to. */
  identityOf(component: number): number;
  /** Those that there are so far, by number: the configured ones first. A number never changes its meaning. */
  identities(): readonly NodeConfig[];
  read(): KernelReading;
  /** Ends what is attached for this interval only, so that the reading that follows has all of it. */
  endInterval(): void;
  /** Begins a new interval for what is counted once in an interval, or attached for some. */
  nextInterval(): void;
}

export interface Kernel extends CountedKernel {
  /** Looks for the targets' processes and directories again. */
  follow(): void;
  /** The same where one executed or ended since, and now and then anyway; else only what must be done each second. */
  followChanges(): void;
  status(): KernelStatus;
  /** What must be known again where the counters are pinned; undefined where they are not. */
  memory(): KernelMemory | undefined;
  /** Ends the counting, but for pinned programs; what was counted can still be read. */
  detach(): void;
  close(): void;
}
