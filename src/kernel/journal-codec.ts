/**
 * The state of the journal as bytes: JSON with all that is named, then numbers. Names travel with it, so that a
 * sidecar of another version reads it right. Pure.
 */
import type { Schema } from "../model/measure.js";
import type { Identity, Sample, Tick } from "../model/tick.js";
import { createByteReader, type ByteReader, type ByteWriter } from "./byte-writer.js";
import {
  createSeriesTable,
  sourcePlaces,
  type JournalSeries,
  type SeriesTable,
  type StoredMeasure,
} from "./journal-series.js";

/** What is neither a sum nor a tick. */
export interface JournalFacts {
  /** Of the maps that the sums are of; "0": of those that come next. */
  readonly incarnation: string;
  /** Latest timestamp that was ever sent; 0: none. */
  readonly lastTimestampMs: number;
  /** When the first interval began. */
  readonly beganMs: number;
  /** Sum of the intervals of all ticks that are settled. */
  readonly settledMs: number;
  /** What the kernel side must know again. */
  readonly kernel?: unknown;
}

export interface JournalState {
  readonly facts: JournalFacts;
  readonly series: SeriesTable;
  readonly unsettled: readonly Tick[];
}

interface Names {
  readonly facts: JournalFacts;
  readonly measures: readonly StoredMeasure[];
  /** Number of the measure, identity, tags. */
  readonly series: readonly (readonly [number, Identity, readonly string[]])[];
}

/** Encodes one tick, for `encodeState`. */
export function encodeTick(tick: Tick, series: SeriesTable, writer: ByteWriter): Uint8Array {
  writer.reset();
  writer.number(tick.timestampMs);
  writer.bigint(tick.version);
  writer.number(tick.intervalMs);
  writer.varint(tick.samples.length);
  for (const sample of tick.samples) encodeSample(sample, series.of(sample).index, writer);
  return writer.written().slice();
}

/** Values that are there, by a bitmap, and then each. */
function encodeSample({ values }: Sample, index: number, writer: ByteWriter): void {
  writer.varint(index);
  const present = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (!Number.isNaN(value)) present[i >> 3] = (present[i >> 3] ?? 0) | (1 << (i & 7));
  });
  writer.bytes(present);
  for (const value of values) if (!Number.isNaN(value)) writer.number(value);
}

/** Encodes the whole; valid until the writer's next reset. */
export function encodeState(
  facts: JournalFacts,
  series: SeriesTable,
  ticks: Iterable<Uint8Array>,
  writer: ByteWriter,
): Uint8Array {
  const all = series.all();
  const measures = [...new Set(all.map(({ measure }) => measure))];
  const names: Names = {
    facts,
    measures: measures.map(({ name, sources }) => ({ name, sources: sources.map((source) => source.name) })),
    series: all.map(({ measure, identity, tags }) => [measures.indexOf(measure), identity, tags]),
  };
  const json = new TextEncoder().encode(JSON.stringify(names));
  writer.reset();
  writer.varint(json.length);
  writer.bytes(json);
  for (const { settled } of all) writer.bytes(new Uint8Array(settled.buffer));
  for (const tick of ticks) {
    writer.varint(tick.length);
    writer.bytes(tick);
  }
  writer.varint(0);
  return writer.written();
}

/**
 * Reads a state. What the schema does not know any more is left out.
 * @throws RangeError, SyntaxError where the bytes are no state
 */
export function decodeState(bytes: Uint8Array, schema: Schema, own: Identity): JournalState {
  const reader = createByteReader(bytes);
  const names = JSON.parse(new TextDecoder().decode(reader.bytes(reader.varint()))) as Names;
  const measures = names.measures.map((stored) => ({ stored, now: sourcePlaces(schema, stored) }));
  const series = createSeriesTable(own);
  const stored = names.series.map(([measure, identity, tags]): StoredSeries => {
    const { stored, now } = measures[measure] ?? { stored: { name: "", sources: [] }, now: undefined };
    return {
      width: stored.sources.length,
      places: now?.places ?? [],
      series: now && series.of({ measure: now.measure, identity, tags }),
    };
  });
  for (const { width, places, series: known } of stored) {
    for (let i = 0; i < width; i++) {
      const sum = reader.bigint();
      const place = places[i] ?? -1;
      if (known && place >= 0) known.settled[place] = sum;
    }
  }
  const unsettled: Tick[] = [];
  while (reader.varint() > 0) unsettled.push(decodeTick(reader, stored));
  return { facts: names.facts, series, unsettled };
}

/** A series as it was written, and what it is now. */
interface StoredSeries {
  readonly width: number;
  readonly places: readonly number[];
  readonly series: JournalSeries | undefined;
}

function decodeTick(reader: ByteReader, stored: readonly StoredSeries[]): Tick {
  const timestampMs = reader.number();
  const version = reader.bigint();
  const intervalMs = reader.number();
  const samples: Sample[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const sample = decodeSample(reader, stored);
    if (sample) samples.push(sample);
  }
  return { timestampMs, version, intervalMs, samples };
}

function decodeSample(reader: ByteReader, stored: readonly StoredSeries[]): Sample | undefined {
  const from = stored[reader.varint()];
  if (!from) throw new RangeError("a sample is of no series");
  const { width, places, series } = from;
  const present = reader.bytes(Math.ceil(width / 8));
  const values = new Float64Array(series?.measure.sources.length ?? 0).fill(Number.NaN);
  for (let i = 0; i < width; i++) {
    if (!((present[i >> 3] ?? 0) & (1 << (i & 7)))) continue;
    const value = reader.number();
    const place = places[i] ?? -1;
    if (place >= 0) values[place] = value;
  }
  if (!series) return undefined;
  const { measure, identity, tags } = series;
  return { measure, identity, tags, values };
}
