/** Numbers as bytes, little-endian, appended to memory that grows; and back. */

export interface ByteWriter {
  /** A whole number from 0 to 2^53 - 1, in as few bytes as it needs. */
  varint(value: number): void;
  /** A number, in one to nine bytes: whole ones as a varint, others as they are. */
  number(value: number): void;
  bigint(value: bigint): void;
  bytes(bytes: Uint8Array): void;
  /** What was written since the last `reset`; valid until the next one. */
  written(): Uint8Array;
  reset(): void;
}

export function createByteWriter(): ByteWriter {
  let memory = new Uint8Array(4096);
  let view = new DataView(memory.buffer);
  let at = 0;
  const room = (bytes: number): void => {
    if (at + bytes <= memory.length) return;
    const larger = new Uint8Array(Math.max(2 * memory.length, at + bytes));
    larger.set(memory.subarray(0, at));
    memory = larger;
    view = new DataView(memory.buffer);
  };
  const varint = (value: number): void => {
    room(8);
    let rest = value;
    while (rest >= 0x80) {
      memory[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    memory[at++] = rest;
  };
  return {
    varint,
    number(value) {
      // Doubled, so that an odd one says that something else follows.
      if (Number.isInteger(value) && value >= 0 && value < 2 ** 52 && !Object.is(value, -0)) {
        varint(2 * value);
        return;
      }
      varint(1);
      room(8);
      view.setFloat64(at, value, true);
      at += 8;
    },
    bigint(value) {
      room(8);
      view.setBigInt64(at, BigInt.asIntN(64, value), true);
      at += 8;
    },
    bytes(bytes) {
      room(bytes.length);
      memory.set(bytes, at);
      at += bytes.length;
    },
    written: () => memory.subarray(0, at),
    reset() {
      at = 0;
    },
  };
}

export interface ByteReader {
  varint(): number;
  number(): number;
  bigint(): bigint;
  bytes(length: number): Uint8Array;
  /** Bytes that were read. */
  readonly at: () => number;
}

/** Reads what a writer wrote. @throws RangeError at the end of the bytes */
export function createByteReader(memory: Uint8Array): ByteReader {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = view.getUint8(at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  return {
    varint,
    number() {
      const coded = varint();
      if (coded % 2 === 0) return coded / 2;
      at += 8;
      return view.getFloat64(at - 8, true);
    },
    bigint() {
      at += 8;
      return view.getBigInt64(at - 8, true);
    },
    bytes(length) {
      if (at + length > memory.length) throw new RangeError("the bytes end early");
      at += length;
      return memory.subarray(at - length, at);
    },
    at: () => at,
  };
}
