/** The group and the measures that we want, as messages of BanyanDB's registry. Pure. */
import { create } from "@bufbuild/protobuf";
import type { BanyandbConfig } from "../config/config.js";
import { Catalog, GroupSchema, IntervalRule_Unit, type Group } from "../gen/banyandb/common/v1/common_pb.js";
import {
  CompressionMethod,
  EncodingMethod,
  FieldType,
  MeasureSchema,
  TagType,
  type Measure,
} from "../gen/banyandb/database/v1/database_pb.js";
import type { GroupSpec, MeasureSpec } from "../model/measure.js";

export function wantedGroup({ group, shards, segmentDays, ttlDays }: BanyandbConfig): Group {
  return create(GroupSchema, {
    metadata: { name: group },
    catalog: Catalog.MEASURE,
    resourceOpts: {
      shardNum: shards,
      segmentInterval: { unit: IntervalRule_Unit.DAY, num: segmentDays },
      ttl: { unit: IntervalRule_Unit.DAY, num: ttlDays },
    },
  });
}

/** All tags are text and in the entity, so that every combination of them is a series that can be asked for. */
export function wantedMeasure(group: string, groupSpec: GroupSpec, spec: MeasureSpec): Measure {
  const tags = [...groupSpec.identityTags, ...spec.tags].map(({ name }) => name);
  return create(MeasureSchema, {
    metadata: { group, name: spec.name },
    tagFamilies: [{ name: groupSpec.tagFamily, tags: tags.map((name) => ({ name, type: TagType.STRING })) }],
    entity: { tagNames: tags },
    fields: spec.fields.map(({ name, type }) => ({
      name,
      fieldType: type === "int" ? FieldType.INT : FieldType.FLOAT,
      encodingMethod: EncodingMethod.GORILLA,
      compressionMethod: CompressionMethod.ZSTD,
    })),
  });
}
