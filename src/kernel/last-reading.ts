/** The last counts of pinned maps whose layout is another one than ours, by what was noted of them. */
import type { NativePins } from "./addon.js";
import { createComponentTable } from "./components.js";
import type { CountedKernel, IdentityReading, NamedCounters, PressureReading } from "./kernel.js";
import type { KernelMemory } from "./kernel-memory.js";
import type { StorageMemory } from "./storage-bytes.js";

/** What a kernel side would read there, had it gone on. */
export function lastReading(pins: Pick<NativePins, "readArray">, memory: KernelMemory): CountedKernel {
  const { maps, identities, owners = [], identitiesMax } = memory;
  const table = createComponentTable(maps, identitiesMax, owners);
  const rows = (map: string, all: number, names: readonly string[]) =>
    sumRows(pins.readArray(map), { cpus: maps.possibleCpus, rows: all, counters: names.length });
  const counters = rows("counters", maps.componentsMax, maps.counterNames);
  const pressure = named(rows("pressure", maps.identitiesMax + 1, maps.pressureNames), maps.pressureNames);
  const hints = named(
    rows("hints", maps.identitiesMax * maps.adviceNames.length, maps.hintNames),
    maps.hintNames,
  );

  const pressureOf = (scope: number): PressureReading => ({
    counted: pressure[scope] ?? {},
    files: {
      psiSomeUs: countedOf(memory, scope, "psiSomeUs"),
      psiFullUs: countedOf(memory, scope, "psiFullUs"),
      refaults: countedOf(memory, scope, "refaults"),
    },
  });
  const identityReading = (_: unknown, identity: number): IdentityReading => ({
    pressure: pressureOf(identity),
    hints: Object.fromEntries(
      maps.adviceNames.map((advice, i) => [advice, hints[identity * maps.adviceNames.length + i] ?? {}]),
    ),
    storage: reachedOf(memory.storage[identity]),
    // What was timed and not taken are a few samples less.
    timed: {},
  });

  return {
    layout: { names: maps.counterNames, components: maps.componentsMax },
    available: new Set(maps.available),
    describe: table.describe,
    identityOf: table.identityOf,
    identities: () => identities,
    read: () => ({
      counters: counters.slice(0, table.used() * maps.counterNames.length),
      identities: identities.map(identityReading),
      node: pressureOf(maps.identitiesMax),
      sampledMs: undefined,
    }),
    endInterval: () => undefined,
    nextInterval: () => undefined,
  };
}

/**
 * The same memory for counters that begin at 0 again: what is no counter of a program goes on from where it was.
 * @param ended bytes of ended processes in the counters that are given up, by identity
 */
export function memoryAfter(memory: KernelMemory, ended: (identity: number) => StorageEnd): KernelMemory {
  const storage = memory.storage.map(({ before, reached, living }, identity): StorageMemory => {
    const { read, write } = ended(identity);
    return {
      before: {
        read: String(BigInt(before.read) + BigInt(reached.read) - read),
        write: String(BigInt(before.write) + BigInt(reached.write) - write),
      },
      reached: { read: "0", write: "0" },
      living,
    };
  });
  const files = memory.files.map((one) =>
    Object.fromEntries(Object.entries(one).map(([name, { read }]) => [name, { read, counted: "0" }])),
  );
  return { ...memory, owners: undefined, storage, files };
}

interface StorageEnd {
  readonly read: bigint;
  readonly write: bigint;
}

/** Sums `[cpu][row][slot]`, where a row may have room for more than its counters, into `[row][counter]`. */
export function sumRows(
  bytes: Uint8Array,
  { cpus, rows, counters }: { cpus: number; rows: number; counters: number },
): BigUint64Array {
  const values = new BigUint64Array(bytes.slice().buffer);
  const slots = values.length / (cpus * rows);
  const sums = new BigUint64Array(rows * counters);
  for (let row = 0; row < cpus * rows; row++) {
    for (let i = 0; i < counters; i++) {
      const at = (row % rows) * counters + i;
      sums[at] = (sums[at] ?? 0n) + (values[row * slots + i] ?? 0n);
    }
  }
  return sums;
}

function named(values: BigUint64Array, names: readonly string[]): NamedCounters[] {
  return Array.from({ length: values.length / names.length }, (_, row) =>
    Object.fromEntries(names.map((name, i) => [name, values[row * names.length + i] ?? 0n])),
  );
}

function countedOf(
  memory: KernelMemory,
  scope: number,
  name: "psiSomeUs" | "psiFullUs" | "refaults",
): bigint | undefined {
  const counted = memory.files[scope]?.[name]?.counted;
  return counted === undefined ? undefined : BigInt(counted);
}

function reachedOf(storage: StorageMemory | undefined): StorageEnd {
  return { read: BigInt(storage?.reached.read ?? 0), write: BigInt(storage?.reached.write ?? 0) };
}
