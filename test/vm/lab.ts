/** Kernels that were asked for, and guests that get as far as to their tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import PQueue from "p-queue";
import { boot, type Machine, type Outcome } from "./boot.js";
import { openKernelSource, type KernelSource } from "./fetch.js";
import { makeGuestFiles, type GuestFiles } from "./image.js";
import { makeInitrd } from "./initrd.js";
import { wantedSeries, type ServedKernel } from "./kernels.js";
import type { Processor } from "./processors.js";
import { withProgress } from "./progress.js";
import { parseSerial } from "./serial.js";
import type { UserSpace } from "./user-space.js";

/** One guest keeps about one processor busy. */
const BOOTS_AT_A_TIME = 2;
/** A guest that hangs is ended. A boot takes 5 s, all suites some minutes, or a quarter of an hour on a busy machine. */
const BOOT_LIMIT_MS = 60_000;
const SUITE_LIMIT_MS = 20 * 60_000;

/**
 * QEMU 7.2 with several emulated processors may run an instruction that the kernel has just replaced: as a breakpoint
 * (seen on 7.3, in sched_clock_cpu and __bpf_prog_exit_recur), or again and again (seen on 6.1, both processors for
 * 80 s on the no-operation in bpf_trace_run1 that switching the statistics of BPF replaces). No processor does either.
 */
const QEMU_FAULT = /Oops: int3|soft lockup[^]*RIP: \S+:bpf_trace_run\d+\+/;
const BOOT_ATTEMPTS = 3;

export interface Lab {
  readonly source: KernelSource;
  /** Series that are asked for, served or not. */
  readonly chosen: readonly string[];
  readonly wanted: readonly ServedKernel[];
  /** Series that no mirror serves any longer. */
  readonly absent: readonly string[];
}

/**
 * Ends the process where no kernel can be had, and well on a signal.
 * @param list series, `newest` for the newest that is served; without it the whole matrix
 */
export async function openLab(processor: Processor, list: string | undefined): Promise<Lab> {
  // Without a handler a signal ends the process before its exit handlers run.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const source = await withProgress("asking the mirror for kernels", () => openKernelSource(processor)).catch(
    (error: unknown) => {
      console.log(`no kernel can be had: ${error instanceof Error ? error.message : String(error)}`);
      process.exit(1);
    },
  );
  const { served } = source;
  const newest = served.at(-1)?.series;
  const chosen =
    list?.split(",").map((name) => (name === "newest" ? (newest ?? name) : name)) ?? wantedSeries(served);
  return {
    source,
    chosen,
    wanted: chosen.flatMap((name) => served.filter(({ series }) => series === name)),
    absent: chosen.filter((name) => !served.some(({ series }) => series === name)),
  };
}

/** As many boots at a time as this machine can carry. */
export function bootQueue(): PQueue {
  return new PQueue({ concurrency: BOOTS_AT_A_TIME });
}

/** In a folder that is removed when this process ends, also by a signal. */
export function temporaryFiles(userSpace: UserSpace, { pageBytes }: Processor): GuestFiles {
  const folder = mkdtempSync(join(tmpdir(), "vm-files-"));
  process.on("exit", () => {
    rmSync(folder, { recursive: true });
  });
  return makeGuestFiles(folder, userSpace, pageBytes);
}

/** A machine, by what is to run in it. */
export interface Guest extends Omit<Machine, "initrd" | "limitMs"> {
  readonly busybox: string;
  readonly modules: readonly string[];
  readonly suites: readonly string[];
}

/** Boots once more where the guest went down before its first test, or by the fault of QEMU; and says so. */
export function bootToTests(guest: Guest, name: string): Promise<Outcome> {
  const { busybox, modules, suites, ...rest } = guest;
  const initrd = makeInitrd(busybox, modules, suites);
  const machine = { ...rest, initrd, limitMs: BOOT_LIMIT_MS + suites.length * SUITE_LIMIT_MS };
  return withProgress(name, async () => {
    for (let attempt = 1; ; attempt++) {
      const outcome = await boot(machine);
      const began = parseSerial(outcome.serial).suites.length > 0;
      if (attempt === BOOT_ATTEMPTS || (began && !QEMU_FAULT.test(outcome.console))) return outcome;
      const [reason = "no word on its console"] = /(Kernel panic|Oops).*/.exec(outcome.console) ?? [];
      console.log(`! ${name}: went down (${reason}), booted once more`);
    }
  });
}
