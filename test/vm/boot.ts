/** Boots one kernel in QEMU and waits until it goes off. Knows nothing of what runs inside. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFolderShare, type FolderShare } from "./folder-share.js";
import type { GuestFiles } from "./image.js";
import type { Processor } from "./processors.js";

export interface Machine {
  readonly processor: Processor;
  readonly image: string;
  readonly initrd: Buffer;
  readonly files: GuestFiles;
  /** Whether the guest can have disks; else it has a folder. */
  readonly hasDisks: boolean;
  /** Kernel parameters besides those that every guest has. */
  readonly parameters: readonly string[];
  /** One processor whose clock is the number of instructions that it executed, in ns: whatever runs here meanwhile. */
  readonly countsInstructions?: true;
  /** After this time it is ended. */
  readonly limitMs: number;
}

export interface Outcome {
  /** What the guest wrote on its second serial line. */
  readonly serial: string;
  /** The kernel's console. */
  readonly console: string;
  /** Why it did not go off by itself. */
  readonly problem: string | undefined;
}

/** Always emulated: /dev/kvm may be there, answer, and still not run a kernel (nested virtualisation). */
const PROCESSORS = [
  ["-accel", "tcg,thread=multi"],
  ["-smp", "2"],
];
/** A processor that has nothing to do does not wait for its clock. */
const COUNTED_PROCESSOR = [
  ["-accel", "tcg,thread=single"],
  ["-icount", "shift=0,sleep=off"],
];
/** Enough that nothing is reclaimed while the tests count; and what a processor may have as persistent memory. */
const MEMORY_MB = 2048 + 64;

/**
 * The kernel's console is quiet, and an oops or a processor that hangs ends the guest: panic at once, and QEMU ends
 * instead of rebooting. The rest only saves time under emulation.
 */
const PARAMETERS: readonly string[] = [
  // Errors alone, and the registers that belong to them.
  "loglevel=5",
  "oops=panic",
  "softlockup_panic=1",
  "panic=-1",
  "psi=1",
  "mitigations=off",
  "random.trust_cpu=on",
  "cryptomgr.notests",
];

/** Rejects only where QEMU cannot start. */
export async function boot(machine: Machine): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "vm-"));
  const remove = () => {
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", remove);
  let share: FolderShare | undefined;
  try {
    writeFileSync(join(folder, "initrd"), machine.initrd);
    if (!machine.hasDisks) share = await startFolderShare(machine.files.folder, join(folder, "share"));
    const problem = await runQemu(machine, qemuArguments(machine, folder));
    return { serial: textOf(join(folder, "serial")), console: textOf(join(folder, "console")), problem };
  } finally {
    share?.end();
    process.off("exit", remove);
    remove();
  }
}

function qemuArguments(machine: Machine, folder: string): string[] {
  const { processor, image, files, hasDisks, parameters } = machine;
  return [
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    ["-display", "none"],
    ...(machine.countsInstructions ? COUNTED_PROCESSOR : PROCESSORS),
    ["-m", String(MEMORY_MB)],
    ["-kernel", image],
    ["-initrd", join(folder, "initrd")],
    ["-append", [...processor.parameters, ...PARAMETERS, ...parameters].join(" ")],
    ["-serial", `file:${join(folder, "console")}`],
    processor.machine(join(folder, "serial")),
    ...(hasDisks ? diskArguments(files) : shareArguments(join(folder, "share"))),
  ].flat();
}

function diskArguments({ root, scratch }: GuestFiles): string[][] {
  return [
    ["-drive", `file=${root},if=virtio,format=raw,readonly=on`],
    // What is written goes into a file without a name.
    ["-drive", `file=${scratch},if=virtio,format=raw,snapshot=on`],
  ];
}

/** The process that shares the folder reads and writes the memory of the guest. */
function shareArguments(socket: string): string[][] {
  return [
    ["-object", `memory-backend-memfd,id=memory,size=${MEMORY_MB}M,share=on`],
    ["-numa", "node,memdev=memory"],
    ["-chardev", `socket,id=share,path=${socket}`],
    ["-device", "vhost-user-fs-pci,chardev=share,tag=root"],
  ];
}

/** Resolves with the reason when QEMU did not end by itself and well. It does not outlive this process. */
function runQemu({ processor, limitMs }: Machine, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(processor.emulator, args, { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    let overtime = false;
    const kill = () => child.kill("SIGKILL");
    const timer = setTimeout(() => {
      overtime = true;
      kill();
    }, limitMs);
    process.on("exit", kill);
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      process.off("exit", kill);
      if (overtime) resolve(`it was still running after ${limitMs / 1000} s`);
      else resolve(code === 0 ? undefined : `QEMU ended with ${String(code ?? signal)}: ${errors.trim()}`);
    });
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // QEMU has not come so far.
    return "";
  }
}
