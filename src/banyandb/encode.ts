/**
 * Rows as bytes of banyandb.measure.v1.WriteRequest, written straight into a buffer. By hand and not with
 * protobuf-es, because this is the one thing that is done for every row (figures: docs/decisions/0002).
 * Field numbers are those of protos/banyandb/measure/v1/measure.proto and model/v1/model.proto; the tests
 * hold the bytes against two decoders. Knows nothing of queue or network.
 */
import { fieldValues, type Sample, type Tick } from "../model/tick.js";
import { tagValues, type RowMapping } from "./rows.js";

export interface Encoder {
  /**
   * Encodes one row. `messageId` is 1 … n within a stream. The result is a view into a larger buffer, which
   * lives as long as any of its rows.
   */
  row(mapping: RowMapping, tick: Tick, sample: Sample, messageId: number): Buffer;
}

/** Key byte of a protobuf field: number and wire type. */
const key = (field: number, wireType: 0 | 1 | 2): number => (field << 3) | wireType;
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

const CHUNK_BYTES = 64 * 1024;
/** Longest form of one field value: key, length, arm, length, key, ten bytes of varint; rounded up. */
const MAX_FIELD_BYTES = 16;
/** Keys, lengths and message id around the constant parts of a row; rounded up. */
const FRAME_BYTES = 64;
/** A row is between 128 and 16383 bytes long as a rule; other lengths cost a move. */
const USUAL_LENGTH_BYTES = 2;

/** Makes an encoder; it keeps the constant parts of what it has encoded, per mapping and series. */
export function createEncoder(): Encoder {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let used = 0;
  const constants = new WeakMap<RowMapping, ConstantParts>();
  const tickParts = new WeakMap<Tick, TickParts>();

  return {
    row(mapping, tick, sample, messageId) {
      const { metadata, familyOf } = cached(constants, mapping, constantParts);
      const { timestamp, version } = cached(tickParts, tick, encodeTick);
      const family = familyOf(sample);
      const values = fieldValues(sample, tick.intervalMs);
      const bound =
        FRAME_BYTES +
        metadata.length +
        timestamp.length +
        family.length +
        version.length +
        mapping.fields.length * MAX_FIELD_BYTES;
      if (used + bound > chunk.length) {
        chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bound));
        used = 0;
      }
      const start = used;
      let at = put(chunk, start, metadata);
      chunk[at++] = key(2, BYTES);
      const body = at + USUAL_LENGTH_BYTES;
      at = put(chunk, body, timestamp);
      at = put(chunk, at, family);
      for (const slot of mapping.fields) {
        const value = slot === null ? undefined : values[slot.index];
        at = slot === null ? putNull(chunk, at) : putField(chunk, at, slot.type, value);
      }
      at = put(chunk, at, version);
      at = closeLength(chunk, body, at);
      chunk[at++] = key(3, VARINT);
      used = putVarint(chunk, at, messageId);
      return chunk.subarray(start, used);
    },
  };
}

/** What all rows of a mapping, or of one of its series, have in common, as bytes. */
interface ConstantParts {
  /** Field 1 of WriteRequest: group, measure and revision. */
  readonly metadata: Uint8Array;
  /** Field 2 of DataPointValue, for a series. */
  readonly familyOf: (series: Pick<Sample, "identity" | "tags">) => Uint8Array;
}

/** Fields 1 and 4 of DataPointValue, the same for all rows of a tick. */
interface TickParts {
  readonly timestamp: Uint8Array;
  readonly version: Uint8Array;
}

function cached<K extends object, V>(cache: WeakMap<K, V>, of: K, make: (of: K) => V): V {
  const known = cache.get(of);
  if (known !== undefined) return known;
  const made = make(of);
  cache.set(of, made);
  return made;
}

function constantParts(mapping: RowMapping): ConstantParts {
  const families = new Map<string, Uint8Array>();
  return {
    metadata: bytesField(1, [
      ...textField(1, mapping.group),
      ...textField(2, mapping.measure),
      ...(mapping.modRevision === 0n ? [] : [key(5, VARINT), ...varint64(mapping.modRevision)]),
    ]),
    familyOf({ identity, tags }) {
      const series = `${identity?.[0] ?? ""}\u0000${tags.length === 0 ? "" : tags.join("\u0000")}`;
      const known = families.get(series);
      if (known) return known;
      const made = bytesField(
        2,
        tagValues(mapping, tags, identity).flatMap((value) => [...bytesField(1, tagValue(value))]),
      );
      families.set(series, made);
      return made;
    },
  };
}

/** A TagValue; without one of its arms the server panics, so an unknown tag is an explicit null. */
function tagValue(value: string | undefined): Iterable<number> {
  return value === undefined ? [key(1, VARINT), 0] : bytesField(2, textField(1, value));
}

function encodeTick({ timestampMs, version }: Tick): TickParts {
  const seconds = Math.floor(timestampMs / 1000);
  const nanos = (timestampMs - seconds * 1000) * 1e6;
  return {
    timestamp: bytesField(1, [
      ...(seconds === 0 ? [] : [key(1, VARINT), ...varint64(BigInt(seconds))]),
      ...(nanos === 0 ? [] : [key(2, VARINT), ...varint64(BigInt(nanos))]),
    ]),
    version: Uint8Array.from(version === 0n ? [] : [key(4, VARINT), ...varint64(version)]),
  };
}

function varint64(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}

function textField(field: number, text: string): Uint8Array {
  return bytesField(field, Buffer.from(text, "utf8"));
}

function bytesField(field: number, content: Iterable<number>): Uint8Array {
  const bytes = [...content];
  return Uint8Array.from([key(field, BYTES), ...varint64(BigInt(bytes.length)), ...bytes]);
}

function put(target: Buffer, at: number, bytes: Uint8Array): number {
  target.set(bytes, at);
  return at + bytes.length;
}

/** Integers from 0 to 2^53. */
function putVarint(target: Buffer, at: number, value: number): number {
  let rest = value;
  // Bit operations are for 32 bits only.
  while (rest > 0x7fffffff) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

/** Puts the length of target[body, end) before it and returns where the content then ends. */
function closeLength(target: Buffer, body: number, end: number): number {
  const length = end - body;
  const lengthBytes = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : 4;
  const shift = lengthBytes - USUAL_LENGTH_BYTES;
  if (shift !== 0) target.copyWithin(body + shift, body, end);
  putVarint(target, body - USUAL_LENGTH_BYTES, length);
  return end + shift;
}

/** Field 3 of DataPointValue with the null arm of FieldValue. */
function putNull(target: Buffer, at: number): number {
  target[at++] = key(3, BYTES);
  target[at++] = 2;
  target[at++] = key(1, VARINT);
  target[at++] = 0;
  return at;
}

/** A value that its type cannot hold exactly is absent rather than wrong. */
function putField(target: Buffer, at: number, type: "int" | "float", value: number | undefined): number {
  if (value === undefined) return putNull(target, at);
  if (type === "int") return Number.isSafeInteger(value) ? putInt(target, at, value) : putNull(target, at);
  return Number.isFinite(value) ? putFloat(target, at, value) : putNull(target, at);
}

/** FieldValue.int (arm 3) with Int.value (field 1); proto3 leaves out a value of 0. */
function putInt(target: Buffer, at: number, value: number): number {
  const content = at + 4;
  let end = content;
  if (value !== 0) {
    target[end++] = key(1, VARINT);
    end =
      value > 0 ? putVarint(target, end, value) : put(target, end, Uint8Array.from(varint64(BigInt(value))));
  }
  return closeValue(target, at, end, 3);
}

/** FieldValue.float (arm 5) with Float.value (field 1). */
function putFloat(target: Buffer, at: number, value: number): number {
  const content = at + 4;
  let end = content;
  if (value !== 0) {
    target[end++] = key(1, FIXED64);
    end = target.writeDoubleLE(value, end);
  }
  return closeValue(target, at, end, 5);
}

/** The two keys and lengths before the content of a value, which begins at `at` + 4 and is below 124 bytes. */
function closeValue(target: Buffer, at: number, end: number, arm: number): number {
  target[at] = key(3, BYTES);
  target[at + 1] = end - at - 2;
  target[at + 2] = key(arm, BYTES);
  target[at + 3] = end - at - 4;
  return end;
}
