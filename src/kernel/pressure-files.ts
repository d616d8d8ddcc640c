/** Memory pressure as the kernel's own files tell it, for the node and for a cgroup (version 2). Pure parsers. */

export interface PressureFiles {
  /** Cumulative microseconds in which some, and all, tasks waited for memory. */
  readonly psiSomeUs: bigint | undefined;
  readonly psiFullUs: bigint | undefined;
  /** Cumulative pages of files that were evicted and needed again soon. */
  readonly refaults: bigint | undefined;
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=123` (kernel: Documentation/accounting/psi.rst). */
export function parsePsi(text: string, line: "some" | "full"): bigint | undefined {
  const total = new RegExp(`^${line} .*total=(\\d+)`, "m").exec(text)?.[1];
  return total === undefined ? undefined : BigInt(total);
}

/** `workingset_refault_file 123`, in /proc/vmstat and in memory.stat. */
export function parseRefaults(text: string): bigint | undefined {
  const pages = /^workingset_refault_file (\d+)$/m.exec(text)?.[1];
  return pages === undefined ? undefined : BigInt(pages);
}

/** Path of the cgroup of version 2 in /proc/PID/cgroup; undefined where the process is in none. */
export function parseCgroupPath(text: string): string | undefined {
  return /^0::(\/.*)$/m.exec(text)?.[1];
}

/**
 * Reads what there is to read; absent files give absent numbers.
 * @param psi path of the PSI file of memory
 * @param statistics path of the file with workingset_refault_file
 */
export function readPressureFiles(
  read: (path: string) => string,
  psi: string,
  statistics: string,
): PressureFiles {
  const waiting = read(psi);
  return {
    psiSomeUs: parsePsi(waiting, "some"),
    psiFullUs: parsePsi(waiting, "full"),
    refaults: parseRefaults(read(statistics)),
  };
}
