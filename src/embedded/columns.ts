/** From the values of a point, given by position, to columns by name, and back. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { NullValue } from "@bufbuild/protobuf/wkt";
import { FieldType, TagType } from "../gen/banyandb/database/v1/database_pb.js";
import type { Measure } from "../gen/banyandb/database/v1/database_pb.js";
import { DataPointValueSchema } from "../gen/banyandb/measure/v1/measure_pb.js";
import type { DataPointValue } from "../gen/banyandb/measure/v1/measure_pb.js";
import {
  FieldValueSchema,
  StrSchema,
  TagFamilyForWriteSchema,
  TagValueSchema,
} from "../gen/banyandb/model/v1/model_pb.js";
import type { FieldValue, TagFamilyForWrite, TagValue } from "../gen/banyandb/model/v1/model_pb.js";

/** A point as it is stored: encoded, in the order of the measure that was current when it was written. */
export interface StoredPoint {
  readonly measure: Measure;
  readonly bytes: Uint8Array;
}

export interface PointValues {
  /** Null where the point has no such tag. */
  tag(family: string, name: string): TagValue;
  /** undefined where the measure had no such field when the point was written. */
  field(name: string): FieldValue | undefined;
}

const TAG_ARM: Readonly<Record<TagType, TagValue["value"]["case"]>> = {
  [TagType.UNSPECIFIED]: undefined,
  [TagType.STRING]: "str",
  [TagType.INT]: "int",
  [TagType.STRING_ARRAY]: "strArray",
  [TagType.INT_ARRAY]: "intArray",
  [TagType.DATA_BINARY]: "binaryData",
  [TagType.TIMESTAMP]: "timestamp",
};

const FIELD_ARM: Readonly<Record<FieldType, FieldValue["value"]["case"]>> = {
  [FieldType.UNSPECIFIED]: undefined,
  [FieldType.STRING]: "str",
  [FieldType.INT]: "int",
  [FieldType.DATA_BINARY]: "binaryData",
  [FieldType.FLOAT]: "float",
};

export function nullTag(): TagValue {
  return create(TagValueSchema, { value: { case: "null", value: NullValue.NULL_VALUE } });
}

export function nullField(): FieldValue {
  return create(FieldValueSchema, { value: { case: "null", value: NullValue.NULL_VALUE } });
}

/** A field that was not given, or given as another type, reads back as null, but text and bytes as empty. */
function absentField(type: FieldType): FieldValue {
  if (type === FieldType.STRING) {
    return create(FieldValueSchema, { value: { case: "str", value: create(StrSchema) } });
  }
  if (type === FieldType.DATA_BINARY) {
    return create(FieldValueSchema, { value: { case: "binaryData", value: new Uint8Array() } });
  }
  return nullField();
}

/** The values of the entity's tags in entity order; undefined where the point has too few tags. */
export function entityValues(
  measure: Measure,
  families: readonly TagFamilyForWrite[],
): TagValue[] | undefined {
  const values: TagValue[] = [];
  for (const name of measure.entity?.tagNames ?? []) {
    for (const [familyIndex, family] of measure.tagFamilies.entries()) {
      const tagIndex = family.tags.findIndex((tag) => tag.name === name);
      if (tagIndex < 0) continue;
      const value = families[familyIndex]?.tags[tagIndex];
      if (value === undefined) return undefined;
      values.push(value);
      break;
    }
  }
  return values;
}

/**
 * A name for an entity value. It keeps the arm that was sent: the number 5 and the text "5" are two series.
 * undefined where no arm is set.
 */
export function entityValueKey(value: TagValue): string | undefined {
  const arm = value.value;
  switch (arm.case) {
    case "null":
      return "n";
    case "str":
      return `s${arm.value.value}`;
    case "int":
      return `i${String(arm.value.value)}`;
    case "binaryData":
      return `b${Buffer.from(arm.value).toString("hex")}`;
    case "timestamp":
      return `t${String(arm.value.seconds)}.${String(arm.value.nanos)}`;
    case "strArray":
    case "intArray":
    case undefined:
      return undefined;
  }
}

/** Encodes a point for storage: surplus values dropped, values of a wrong type null, entity tags as sent. */
export function encodePoint(measure: Measure, point: DataPointValue): StoredPoint {
  const entity = new Set(measure.entity?.tagNames);
  const tagFamilies = measure.tagFamilies.map((family, familyIndex) => {
    const given = point.tagFamilies[familyIndex]?.tags ?? [];
    const tags = family.tags.map(({ name, type }, tagIndex) => {
      const value = given[tagIndex];
      if (value === undefined) return nullTag();
      return entity.has(name) || value.value.case === TAG_ARM[type] ? value : nullTag();
    });
    return create(TagFamilyForWriteSchema, { tags });
  });
  const fields = measure.fields.map(({ fieldType }, index) => {
    const value = point.fields[index];
    return value !== undefined && value.value.case === FIELD_ARM[fieldType] ? value : absentField(fieldType);
  });
  const stored = create(DataPointValueSchema, { tagFamilies, fields });
  return { measure, bytes: toBinary(DataPointValueSchema, stored) };
}

/** The text "" of an entity tag reads back as null. */
function entityTag(value: TagValue): TagValue {
  const arm = value.value;
  const empty =
    (arm.case === "str" && arm.value.value === "") || (arm.case === "binaryData" && arm.value.length === 0);
  return empty ? nullTag() : value;
}

export function decodePoint({ measure, bytes }: StoredPoint): PointValues {
  const point = fromBinary(DataPointValueSchema, bytes);
  return {
    tag(familyName, name) {
      const familyIndex = measure.tagFamilies.findIndex((family) => family.name === familyName);
      const tagIndex = measure.tagFamilies[familyIndex]?.tags.findIndex((tag) => tag.name === name) ?? -1;
      const value = point.tagFamilies[familyIndex]?.tags[tagIndex];
      if (value === undefined) return nullTag();
      return measure.entity?.tagNames.includes(name) ? entityTag(value) : value;
    },
    field(name) {
      return point.fields[measure.fields.findIndex((field) => field.name === name)];
    },
  };
}
