/** What the kernel side must know again to read pinned counters: their numbers' meaning, and where others began. */
import type { NodeConfig } from "../config/config.js";
import type { StorageMemory } from "./storage-bytes.js";
import type { ComponentOwner } from "./components.js";
import type { FileMemory } from "./continued-files.js";

export interface KernelMemory {
  /** Identities that there may be: the first components are numbered by it. */
  readonly identitiesMax: number;
  /** By number. */
  readonly identities: readonly NodeConfig[];
  /** Components by number, but for those of unknown files; undefined where no number was given yet. */
  readonly owners: readonly ComponentOwner[] | undefined;
  /** By number of the identity. */
  readonly storage: readonly StorageMemory[];
  /** By number of the identity; the last one is the node's. */
  readonly files: readonly FileMemory[];
  /** Events that were missed, as far as a heartbeat has told it. */
  readonly eventsMissed: number;
  readonly maps: MapNames;
}

/** How counters lie in the pinned maps, for a sidecar of another version: `[cpu][row][counter]`. */
export interface MapNames {
  readonly possibleCpus: number;
  readonly componentsMax: number;
  readonly fileKinds: number;
  readonly identitiesMax: number;
  readonly counterNames: readonly string[];
  readonly pressureNames: readonly string[];
  readonly adviceNames: readonly string[];
  readonly hintNames: readonly string[];
  /** Counters that could be had. */
  readonly available: readonly string[];
}

/** Whether the numbers of pinned counters mean the same to a configuration with these identities. */
export function isCompatible(
  memory: KernelMemory,
  identitiesMax: number,
  configured: readonly string[],
  limit: number,
): boolean {
  const known = new Set(memory.identities.map(({ id }) => id));
  const added = configured.filter((id) => !known.has(id));
  return memory.identitiesMax === identitiesMax && known.size + added.length <= limit;
}
