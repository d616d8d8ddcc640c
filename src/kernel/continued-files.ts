/**
 * Numbers of the kernel's own files that go on where the process before this one left them: they began long before
 * us, and begin anew when their source does (as a cgroup). Pure.
 */
import type { PressureFiles } from "./pressure-files.js";

const NAMES = ["psiSomeUs", "psiFullUs", "refaults"] as const;

/** Last reading and what was counted until then, by name; decimal. */
export type FileMemory = Readonly<
  Partial<Record<(typeof NAMES)[number], { readonly read: string; readonly counted: string }>>
>;

export interface ContinuedFiles {
  /** What was counted since it was first looked at; what cannot be read now is as it was. */
  count(files: PressureFiles): PressureFiles;
  memory(): FileMemory;
}

export function continueFiles(saved: FileMemory = {}): ContinuedFiles {
  const known = new Map(
    NAMES.flatMap((name) => {
      const entry = saved[name];
      return entry ? [[name, { read: BigInt(entry.read), counted: BigInt(entry.counted) }] as const] : [];
    }),
  );
  const count = (name: (typeof NAMES)[number], read: bigint | undefined): bigint | undefined => {
    const before = known.get(name);
    if (read === undefined) return before?.counted;
    const grown = before === undefined ? 0n : read < before.read ? read : read - before.read;
    const counted = (before?.counted ?? 0n) + grown;
    known.set(name, { read, counted });
    return counted;
  };
  return {
    count: (files) => ({
      psiSomeUs: count("psiSomeUs", files.psiSomeUs),
      psiFullUs: count("psiFullUs", files.psiFullUs),
      refaults: count("refaults", files.refaults),
    }),
    memory: () =>
      Object.fromEntries(
        [...known].map(([name, { read, counted }]) => [
          name,
          { read: String(read), counted: String(counted) },
        ]),
      ),
  };
}
