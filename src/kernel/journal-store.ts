/**
 * Keeps one state such that a crash at any instant leaves the old one or the new one: two areas, of which one
 * word says which is valid. That word is its sequence number; its lowest bit is the number of the area.
 */
import { crc32 } from "node:zlib";

/** Memory that outlives this process. */
export interface JournalMemory {
  /** Bytes of one of the two areas. */
  readonly areaBytes: number;
  read(area: number, offset: number, length: number): Uint8Array;
  write(area: number, offset: number, bytes: Uint8Array): void;
  /** Sequence number of the valid state; 0: there is none. */
  sequence(): bigint;
  /** Makes another state the valid one, by one store. */
  activate(sequence: bigint): void;
}

/** Before the state: its sequence number (8 bytes), its length and its CRC-32 (4 bytes each). */
const HEADER_BYTES = 16;

/** The state is not what was written. */
export class JournalDamageError extends Error {
  constructor(problem: string) {
    super(`the journal is damaged: ${problem}`);
    this.name = "JournalDamageError";
  }
}

/** The most bytes that a state may have. */
export function stateRoom(memory: JournalMemory): number {
  return memory.areaBytes - HEADER_BYTES;
}

/**
 * The valid state; undefined where none was ever written.
 * @throws JournalDamageError
 */
export function loadState(memory: JournalMemory): Uint8Array | undefined {
  const sequence = memory.sequence();
  if (sequence === 0n) return undefined;
  const area = areaOf(sequence);
  const header = viewOf(memory.read(area, 0, HEADER_BYTES));
  const length = header.getUint32(8, true);
  if (header.getBigUint64(0, true) !== sequence)
    throw new JournalDamageError("another state is in its place");
  if (length > stateRoom(memory)) throw new JournalDamageError("its state is longer than its memory");
  const state = memory.read(area, HEADER_BYTES, length);
  if (crc32(state) !== header.getUint32(12, true)) throw new JournalDamageError("its checksum is wrong");
  return state;
}

/** Replaces the state. */
export function saveState(memory: JournalMemory, state: Uint8Array): void {
  if (state.length > stateRoom(memory))
    throw new Error(`a state of ${state.length} bytes does not fit the journal`);
  const sequence = memory.sequence() + 1n;
  const area = areaOf(sequence);
  const header = new Uint8Array(HEADER_BYTES);
  const view = viewOf(header);
  view.setBigUint64(0, sequence, true);
  view.setUint32(8, state.length, true);
  view.setUint32(12, crc32(state), true);
  memory.write(area, HEADER_BYTES, state);
  memory.write(area, 0, header);
  memory.activate(sequence);
}

function areaOf(sequence: bigint): number {
  return Number(sequence & 1n);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
