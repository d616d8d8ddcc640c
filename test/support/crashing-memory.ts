/** Memory of a journal whose process can be made to die at any byte that it writes. */
import type { JournalMemory } from "../../src/kernel/journal-store.js";

export class Died extends Error {}

export interface CrashingMemory extends JournalMemory {
  /** The process dies after so many more bytes; the last one that is torn stays half written. */
  dieAfter(bytes: number): void;
  /** A new process opens what is there. */
  revive(): void;
  /** Bytes written by this process. */
  written(): number;
  /** Changes a byte of the valid area, as no process of ours would. */
  damage(offset: number): void;
}

export function crashingMemory(areaBytes = 65_536): CrashingMemory {
  const areas = [new Uint8Array(areaBytes), new Uint8Array(areaBytes)];
  let sequence = 0n;
  let left = Number.POSITIVE_INFINITY;
  let written = 0;
  /** How many of these bytes are written before it dies. */
  const spend = (bytes: number): number => {
    const allowed = Math.min(bytes, left);
    left -= allowed;
    written += allowed;
    return allowed;
  };
  return {
    areaBytes,
    read: (area, offset, length) => areas[area]?.slice(offset, offset + length) ?? new Uint8Array(),
    write(area, offset, bytes) {
      const allowed = spend(bytes.length);
      areas[area]?.set(bytes.subarray(0, allowed), offset);
      if (allowed < bytes.length) throw new Died();
    },
    sequence: () => sequence,
    activate(next) {
      // One store: it has happened or it has not.
      if (spend(1) < 1) throw new Died();
      sequence = next;
    },
    dieAfter(bytes) {
      left = bytes;
    },
    revive() {
      left = Number.POSITIVE_INFINITY;
      written = 0;
    },
    written: () => written,
    damage(offset) {
      const area = areas[Number(sequence & 1n)];
      if (area) area[offset] = (area[offset] ?? 0) ^ 0x40;
    },
  };
}
