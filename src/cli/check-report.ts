/** What `check` found, and its exit code. Pure. */
import type { PinCheck } from "../kernel/pin-check.js";
import type { KernelStatus } from "../model/status.js";
import type { Capability } from "./capabilities.js";
import { EXIT } from "./exit-code.js";
import type { Volume } from "./volume.js";

/** A part of the target whose counts are kept apart, by its directory. */
export interface FoundComponent {
  readonly catalog: string;
  readonly dbGroup: string;
  /** As the target sees it. */
  readonly path: string;
}

/** Kernel memory of the maps, in bytes. */
export interface KernelMemory {
  readonly possibleCpus: number;
  readonly bytes: number;
  /** The same on a machine of `LARGE_CPUS`. */
  readonly bytesOnLargeMachine: number;
}

/** What sizes are said for, so that hosts can be compared. */
export const LARGE_CPUS = 64;

export interface CheckReport {
  /** Release and machine, such as 6.12.0 x86_64; undefined where even that could not be asked. */
  readonly host: string | undefined;
  readonly kernel:
    | {
        readonly state: "measures";
        readonly status: KernelStatus;
        readonly components: readonly FoundComponent[];
        readonly memory: KernelMemory;
        /** Absent where nothing is to outlive the sidecar. */
        readonly pins?: PinCheck | undefined;
      }
    | {
        readonly state: "fails";
        readonly message: string;
        readonly permission: boolean;
        /** What may help, where the error itself knows. */
        readonly hint: string | undefined;
      };
  readonly missingCapabilities: readonly Capability[];
  readonly banyandb:
    | {
        readonly state: "reached";
        readonly address: string;
        readonly version: string | undefined;
        readonly schema: "missing" | "equal" | "additive" | "conflict";
        readonly lines: readonly string[];
      }
    | {
        readonly state: "unreachable";
        readonly address: string;
        /** Of BanyanError. */
        readonly code: string;
        readonly message: string;
      };
  readonly target: string;
  readonly volume: Volume;
}

/** 77 where permission is all that lacks for measuring, 1 where anything else is in the way, else 0. */
export function checkExitCode({ kernel, banyandb }: CheckReport): number {
  if (kernel.state === "fails") return kernel.permission ? EXIT.noPermission : EXIT.failure;
  if (!kernel.status.probes.some(({ attached }) => attached)) return EXIT.failure;
  if (banyandb.state === "unreachable" || banyandb.schema === "conflict") return EXIT.failure;
  return EXIT.ok;
}
