/** The ways to make the bytes of a row that `bench:delivery` compares. All make the same message. */
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "google-protobuf";
import { join } from "node:path";
import { createEncoder } from "../../src/banyandb/encode.js";
import { tagValues, type RowMapping } from "../../src/banyandb/rows.js";
import { MeasureService, WriteRequestSchema } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { fieldValues, type Sample, type Tick } from "../../src/model/tick.js";
import { packageRoot } from "../support/package-root.js";

export type EncodeRow = (mapping: RowMapping, tick: Tick, sample: Sample, messageId: number) => Uint8Array;

export interface NamedEncoder {
  readonly name: string;
  /** A new one: nothing is kept from an earlier round. */
  readonly make: () => EncodeRow;
}

export const ENCODERS: readonly NamedEncoder[] = [
  { name: "this project", make: () => createEncoder().row.bind(undefined) },
  { name: "protobuf-es (generated messages)", make: () => protobufEs },
  { name: "google-protobuf (its writer alone)", make: () => googleProtobuf },
  { name: "@grpc/proto-loader (objects)", make: protoLoader },
];

/** The values of a row in the server's order; an absent one is undefined. */
function rowValues(mapping: RowMapping, tick: Tick, sample: Sample): (number | undefined)[] {
  const values = fieldValues(sample, tick.intervalMs);
  return mapping.fields.map((slot) => (slot === null ? undefined : values[slot.index]));
}

function protobufEs(mapping: RowMapping, tick: Tick, sample: Sample, messageId: number): Uint8Array {
  const request: MessageInitShape<typeof WriteRequestSchema> = {
    metadata: { group: mapping.group, name: mapping.measure, modRevision: mapping.modRevision },
    messageId: BigInt(messageId),
    dataPoint: {
      timestamp: timestampFromMs(tick.timestampMs),
      version: tick.version,
      tagFamilies: [
        {
          tags: tagValues(mapping, sample.tags).map((value) => ({
            value: { case: "str" as const, value: { value: value ?? "" } },
          })),
        },
      ],
      fields: rowValues(mapping, tick, sample).map((value, i) => {
        if (value === undefined) return { value: { case: "null" as const, value: 0 } };
        return mapping.fields[i]?.type === "float"
          ? { value: { case: "float" as const, value: { value } } }
          : { value: { case: "int" as const, value: { value: BigInt(value) } } };
      }),
    },
  };
  return toBinary(WriteRequestSchema, create(WriteRequestSchema, request));
}

/**
 * As the code of protoc-gen-js ends, without the message objects that it has before: that generator cannot be had
 * without a download. So the true cost is above this.
 */
function googleProtobuf(mapping: RowMapping, tick: Tick, sample: Sample, messageId: number): Uint8Array {
  const writer = new protobuf.BinaryWriter();
  const values = rowValues(mapping, tick, sample);
  writer.writeMessage(1, mapping, () => {
    writer.writeString(1, mapping.group);
    writer.writeString(2, mapping.measure);
    writer.writeInt64String(5, String(mapping.modRevision));
  });
  writer.writeMessage(2, tick, () => {
    writer.writeMessage(1, tick, () => {
      writer.writeInt64(1, Math.floor(tick.timestampMs / 1000));
      writer.writeInt32(2, (tick.timestampMs % 1000) * 1e6);
    });
    writer.writeMessage(2, sample, () => {
      for (const tag of tagValues(mapping, sample.tags)) {
        writer.writeMessage(1, tag, () => {
          writer.writeMessage(2, tag, () => {
            writer.writeString(1, tag ?? "");
          });
        });
      }
    });
    values.forEach((value, i) => {
      writer.writeMessage(3, values, () => {
        if (value === undefined) writer.writeEnum(1, 0);
        else if (mapping.fields[i]?.type === "float") {
          writer.writeMessage(5, values, () => {
            writer.writeDouble(1, value);
          });
        } else {
          writer.writeMessage(3, values, () => {
            writer.writeInt64(1, value);
          });
        }
      });
    });
    writer.writeInt64String(4, String(tick.version));
  });
  writer.writeUint64(3, messageId);
  return writer.getResultBuffer();
}

function protoLoader(): EncodeRow {
  const definition = loadSync("banyandb/measure/v1/measure.proto", {
    includeDirs: [join(packageRoot, "protos")],
    longs: String,
    keepCase: true,
  });
  const service = definition[MeasureService.typeName];
  const method = service && "Write" in service ? service["Write"] : undefined;
  if (typeof method !== "object" || !("requestSerialize" in method)) throw new Error("no method Write");
  return (mapping, tick, sample, messageId) =>
    method.requestSerialize({
      metadata: { group: mapping.group, name: mapping.measure, mod_revision: String(mapping.modRevision) },
      message_id: messageId,
      data_point: {
        timestamp: { seconds: Math.floor(tick.timestampMs / 1000), nanos: (tick.timestampMs % 1000) * 1e6 },
        version: String(tick.version),
        tag_families: [{ tags: tagValues(mapping, sample.tags).map((value) => ({ str: { value } })) }],
        fields: rowValues(mapping, tick, sample).map((value, i) => {
          if (value === undefined) return { null: 0 };
          return mapping.fields[i]?.type === "float" ? { float: { value } } : { int: { value } };
        }),
      },
    });
}
