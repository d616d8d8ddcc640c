/** The processors that guests can have, and the machines that QEMU emulates around them. Data. */

export type Architecture = "amd64" | "arm64";

export interface Processor {
  /** As the option of run.ts names it. */
  readonly name: string;
  /** As Debian does. */
  readonly architecture: Architecture;
  /** Of Debian's kernels. Cloud: the smallest, and ext4 is built in. */
  readonly flavour: "cloud-amd64" | "cloud-arm64" | "arm64-16k";
  readonly pageBytes: number;
  /** As QEMU names its program. */
  readonly emulator: string;
  /** The machine, its processor, and what writes the second serial line into `report`. */
  machine(report: string): readonly string[];
  /** What must be loaded to see its disks and the rest; what a kernel has built in has no file. */
  readonly modules: readonly string[];
  /** Kernel parameters that it needs. */
  readonly parameters: readonly string[];
}

const DISKS = ["virtio_pci", "virtio_blk", "ext4"];
/** A part of the memory: size and place (Documentation/admin-guide/kernel-parameters.txt, memmap=nn!ss): in the middle of the first 2 GiB. */
const PERSISTENT_MEMORY = "64M!1G";

const AMD64: Processor = {
  name: "amd64",
  architecture: "amd64",
  flavour: "cloud-amd64",
  pageBytes: 4096,
  emulator: "qemu-system-x86_64",
  machine: (report) => [
    ...["-machine", "q35"],
    // QEMU before 10 spoils the flags after cmpxchg16b when an interrupt follows, and then SLUB its lists.
    ...["-cpu", "qemu64,-cx16"],
    ...["-serial", `file:${report}`],
  ],
  modules: [...DISKS, "nd_e820", "nd_pmem"],
  // An emulated timer may be too late for the kernel's own check of it (6.1 on a busy machine).
  parameters: ["console=ttyS0", "no_timer_check", "tsc=reliable", `memmap=${PERSISTENT_MEMORY}`],
};

/** The oldest processor of clouds with atomic instructions (ARMv8.2), which BPF needs before 5.18. */
const ARM64: Processor = {
  name: "arm64",
  architecture: "arm64",
  flavour: "cloud-arm64",
  pageBytes: 4096,
  emulator: "qemu-system-aarch64",
  machine: (report) => [
    ...["-machine", "virt"],
    ...["-cpu", "neoverse-n1"],
    // This machine has a single serial line.
    ...["-device", "virtio-serial-pci"],
    ...["-chardev", `file,id=report,path=${report}`],
    ...["-device", "virtconsole,chardev=report"],
  ],
  // ext4 asks the running kernel for crc32c, and depends on no module for it.
  modules: ["crc32c_generic", ...DISKS, "virtio_console"],
  // What the kernel does not know itself becomes a variable of its first process (init.sh).
  parameters: ["console=ttyAMA0", "report=hvc0"],
};

/** The same with pages of 16 KiB, which the kernel is built for (since 6.12). */
const ARM64_16K: Processor = { ...ARM64, name: "arm64-16k", flavour: "arm64-16k", pageBytes: 16384 };

export function processorNamed(name: string): Processor {
  const processors = [AMD64, ARM64, ARM64_16K];
  const processor = processors.find((one) => one.name === name);
  if (processor === undefined)
    throw new Error(`no processor ${name}; there are: ${processors.map((one) => one.name).join(", ")}`);
  return processor;
}
