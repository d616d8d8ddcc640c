/** What the agent knows of the kernel side, whichever tier it is. */
import type { CounterLayout } from "../model/counters.js";
import type { KernelStatus } from "../model/status.js";
import type { Component } from "./components.js";
import type { PressureFiles } from "./pressure-files.js";
import type { StorageBytes } from "./storage-bytes.js";

/** Everything that one read-out gives; all numbers only grow. */
export interface KernelReading {
  /** `[component][counter]` for the components in use. */
  readonly counters: BigUint64Array;
  /** Of the target and of the node, by name. */
  readonly pressure: Readonly<Record<"target" | "node", Readonly<Record<string, bigint>>>>;
  /** Of each advice, by name. */
  readonly hints: Readonly<Record<string, Readonly<Record<string, bigint>>>>;
  readonly pressureFiles: Readonly<Record<"target" | "node", PressureFiles>>;
  readonly storage: StorageBytes;
}

export interface Kernel {
  readonly layout: CounterLayout;
  /** Counters that this kernel can have; the others are absent. */
  readonly available: ReadonlySet<string>;
  /** Names of a component number. */
  describe(component: number): Component;
  read(): KernelReading;
  /** Begins a new interval for what is counted once in an interval. */
  nextInterval(): void;
  /** Looks for the target's processes and directories again. */
  follow(): void;
  status(): KernelStatus;
  /** Ends the counting; what was counted can still be read. */
  detach(): void;
  close(): void;
}
