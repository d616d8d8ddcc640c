import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import protobuf from "google-protobuf";
import { createEncoder } from "../../../src/banyandb/encode.js";
import { compileMapping, type RowMapping } from "../../../src/banyandb/rows.js";
import { wantedMeasure } from "../../../src/banyandb/schema-wanted.js";
import { FieldType } from "../../../src/gen/banyandb/database/v1/database_pb.js";
import { WriteRequestSchema } from "../../../src/gen/banyandb/measure/v1/measure_pb.js";
import { makeSample, type Tick } from "../../../src/model/tick.js";
import { CACHE, IDENTITY, PART, SCHEMA, seededRandom, tickAt } from "../../support/ticks.js";
import { present } from "../../support/present.js";

const REVISION = 1_764_000_000_123_456_789n;

function mappingOf(
  spec: typeof CACHE,
  modRevision = REVISION,
  extraFields: readonly string[] = [],
): RowMapping {
  const server = wantedMeasure("ebpf", SCHEMA.group, spec);
  present(server.metadata).modRevision = modRevision;
  for (const name of extraFields) {
    server.fields.splice(1, 0, { ...present(server.fields[0]), name, fieldType: FieldType.INT });
  }
  return compileMapping(spec, SCHEMA.group, IDENTITY, server);
}

function encode(mapping: RowMapping, tick: Tick, index = 0, messageId = 1): Buffer {
  return createEncoder().row(mapping, tick, present(tick.samples[index]), messageId);
}

/** The fields of a message as google-protobuf's reader finds them, nested messages and all. */
type Wire = [field: number, value: string | number | Uint8Array][];

function readWire(bytes: Uint8Array): Wire {
  const reader = new protobuf.BinaryReader(bytes);
  const fields: Wire = [];
  while (reader.nextField()) {
    const field = reader.getFieldNumber();
    const type = reader.getWireType() as number;
    if (type === 0) fields.push([field, reader.readInt64String()]);
    else if (type === 1) fields.push([field, reader.readDouble()]);
    else fields.push([field, Uint8Array.from(reader.readBytes())]);
  }
  return fields;
}

function inner(wire: Wire, field: number): Wire[] {
  return wire.filter(([number]) => number === field).map(([, bytes]) => readWire(bytes as Uint8Array));
}

/** The value of the one arm of a TagValue or FieldValue. */
function onlyValue(value: Wire): string | number | Uint8Array {
  const [arm] = value;
  const [content] = readWire(present(arm)[1] as Uint8Array);
  return present(content)[1];
}

describe("row encoder", () => {
  const tick = tickAt(1_764_000_000_123, { hit: 7, missed: 1, reads: { data: 2 ** 40 + 5 } });

  it("is read by google-protobuf as what was meant", () => {
    const wire = readWire(encode(mappingOf(CACHE), tick, 0, 300));
    const [metadata] = inner(wire, 1);
    expect(
      metadata?.map(([n, v]) => [n, v instanceof Uint8Array ? Buffer.from(v).toString() : v]),
    ).to.deep.equal([
      [1, "ebpf"],
      [2, "cache"],
      [5, String(REVISION)],
    ]);
    expect(wire.find(([n]) => n === 3)).to.deep.equal([3, "300"]);
    const [point] = inner(wire, 2);
    expect(inner(present(point), 1)).to.deep.equal([
      [
        [1, "1764000000"],
        [2, "123000000"],
      ],
    ]);
    expect(point?.find(([n]) => n === 4)).to.deep.equal([4, String(tick.version)]);
    const [family] = inner(present(point), 2);
    const tags = inner(present(family), 1).map((tag) => Buffer.from(onlyValue(tag) as Uint8Array).toString());
    expect(tags).to.deep.equal(IDENTITY);
    const fields = inner(present(point), 3).map((value) => [value[0]?.[0], onlyValue(value)]);
    expect(fields).to.deep.equal([
      [3, "7"],
      [3, "1"],
      [5, 87.5],
      [3, "10000"],
    ]);
  });

  it("gives the same bytes as protobuf-es", () => {
    const str = (value: string) => ({ value: { case: "str" as const, value: { value } } });
    const int = (value: number) => ({ value: { case: "int" as const, value: { value: BigInt(value) } } });
    const wanted = create(WriteRequestSchema, {
      metadata: { group: "ebpf", name: "part", modRevision: REVISION },
      messageId: 1000n,
      dataPoint: {
        timestamp: timestampFromMs(tick.timestampMs),
        tagFamilies: [{ tags: [...IDENTITY, "data"].map(str) }],
        fields: [int(2 ** 40 + 5), int((2 ** 40 + 5) % 7)],
        version: tick.version,
      },
    });
    expect(
      Buffer.from(toBinary(WriteRequestSchema, wanted)).equals(encode(mappingOf(PART), tick, 1, 1000)),
    ).to.equal(true);
  });

  it("keeps zeros apart from absent values, and sets the null arm for those", () => {
    const quiet = tickAt(1_764_000_000_000, { hit: 0, missed: 0 });
    const message = fromBinary(WriteRequestSchema, encode(mappingOf(CACHE), quiet));
    const arms = message.dataPoint?.fields.map(({ value }) => value.case);
    expect(arms).to.deep.equal(["int", "int", "null", "int"]);
  });

  it("puts null where the server has a field that we do not know", () => {
    const message = fromBinary(WriteRequestSchema, encode(mappingOf(CACHE, 1n, ["new"]), tick));
    expect(message.dataPoint?.fields.map(({ value }) => value.case)).to.deep.equal([
      "int",
      "null",
      "int",
      "float",
      "int",
    ]);
  });

  it("carries values at the limits of every length", () => {
    const values = [
      1,
      127,
      128,
      16383,
      16384,
      2 ** 31 - 1,
      2 ** 31,
      2 ** 32,
      2 ** 35 + 1,
      Number.MAX_SAFE_INTEGER,
      -1,
      -(2 ** 40),
    ];
    for (const value of values) {
      const one = { ...tick, samples: [makeSample(PART, ["p"], () => value)] };
      const message = fromBinary(WriteRequestSchema, encode(mappingOf(PART), one));
      const field = message.dataPoint?.fields[0]?.value;
      expect(field?.case === "int" && field.value.value).to.equal(BigInt(value));
    }
  });

  it("leaves out a value that it could not store exactly", () => {
    for (const value of [2 ** 53, 0.5, Number.POSITIVE_INFINITY]) {
      const one = { ...tick, samples: [makeSample(PART, ["p"], () => value)] };
      const message = fromBinary(WriteRequestSchema, encode(mappingOf(PART), one));
      expect(message.dataPoint?.fields[0]?.value.case).to.equal("null");
    }
  });

  it("is right for rows that are shorter and longer than usual", () => {
    for (const length of [0, 20, 100, 126, 127, 128, 16_300, 20_000, 70_000]) {
      const part = "x".repeat(length);
      const one = { ...tick, samples: [makeSample(PART, [part], () => 1)] };
      const message = fromBinary(
        WriteRequestSchema,
        encode({ ...mappingOf(PART), identity: ["a", "b"] }, one),
      );
      const tag = message.dataPoint?.tagFamilies[0]?.tags[2]?.value;
      expect(tag?.case === "str" && tag.value.value).to.equal(length === 0 ? "n/a" : part);
      expect(message.messageId).to.equal(1n);
    }
  });

  it("never touches a row again once it is encoded", () => {
    const encoder = createEncoder();
    const random = seededRandom(1);
    const mappings = [mappingOf(CACHE), mappingOf(PART)] as const;
    const encoded: { row: Buffer; copy: Buffer }[] = [];
    for (let i = 1; i <= 2000; i++) {
      const one = tickAt(1_764_000_000_000 + i, {
        hit: i,
        missed: Math.floor(random() * 2 ** 45),
        reads: { [`p${i % 9}`]: i },
      });
      const index = i % 2;
      const row = encoder.row(mappings[index as 0 | 1], one, present(one.samples[index]), i);
      encoded.push({ row, copy: Buffer.from(row) });
      expect(fromBinary(WriteRequestSchema, row).messageId).to.equal(BigInt(i));
    }
    expect(encoded.every(({ row, copy }) => row.equals(copy))).to.equal(true);
  });
});
