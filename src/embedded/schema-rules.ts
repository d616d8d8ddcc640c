/**
 * What the registries refuse. A rule that BanyanDB states in its .proto files answers INVALID_ARGUMENT, one
 * of its hand-written checks (api/validate/validate.go, banyand/metadata/schema/property/validate.go at
 * apache/skywalking-banyandb 9ebac4516) answers UNKNOWN. The former come first.
 */
import { equals } from "@bufbuild/protobuf";
import { Catalog, IntervalRule_Unit } from "../gen/banyandb/common/v1/common_pb.js";
import type { Group, IntervalRule, LifecycleStage } from "../gen/banyandb/common/v1/common_pb.js";
import {
  CompressionMethod,
  EncodingMethod,
  EntitySchema,
  FieldSpecSchema,
  FieldType,
  TagType,
} from "../gen/banyandb/database/v1/database_pb.js";
import type { FieldSpec, Measure, TagFamilySpec } from "../gen/banyandb/database/v1/database_pb.js";
import { invalidArgument, panicked, unimplemented, unknown } from "./rpc-error.js";

/** The units of pkg/timestamp ParseDuration. */
const DURATION = /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+$/;

function must(holds: boolean, broken: string): void {
  if (!holds) throw invalidArgument(`invalid message: ${broken}`);
}

function should(holds: boolean, broken: string): void {
  if (!holds) throw unknown(broken);
}

/** Whether an enum of the generated code has this number: messages carry any. */
function isDefined(values: object, value: number): boolean {
  return value in values;
}

function checkInterval(rule: IntervalRule | undefined, name: string): void {
  if (rule === undefined) return;
  must(isDefined(IntervalRule_Unit, rule.unit), `${name}.unit must be one of the defined enum values`);
  must(rule.num > 0, `${name}.num must be greater than 0`);
}

function checkStage(stage: LifecycleStage): void {
  must(stage.name !== "", "stage.name must not be empty");
  must(stage.shardNum > 0, "stage.shard_num must be greater than 0");
  must(stage.segmentInterval !== undefined, "stage.segment_interval is required");
  must(stage.ttl !== undefined, "stage.ttl is required");
  checkInterval(stage.segmentInterval, "stage.segment_interval");
  checkInterval(stage.ttl, "stage.ttl");
  must(stage.nodeSelector !== "", "stage.node_selector must not be empty");
}

/** A group whose parts are known to be there. */
export interface CheckedGroup {
  readonly group: Group;
  readonly name: string;
}

/**
 * The rules for a group that is created or updated.
 * @throws RpcError
 */
export function checkGroup(group: Group | undefined): CheckedGroup {
  if (group === undefined) throw panicked("nil pointer dereference: no group");
  const options = group.resourceOpts;
  must(group.metadata !== undefined, "group.metadata is required");
  if (options !== undefined) {
    must(options.shardNum > 0, "group.resource_opts.shard_num must be greater than 0");
    checkInterval(options.segmentInterval, "group.resource_opts.segment_interval");
    checkInterval(options.ttl, "group.resource_opts.ttl");
    options.stages.forEach(checkStage);
  }
  const name = group.metadata?.name ?? "";
  should(name !== "", "metadata.name is required");
  should(group.catalog !== Catalog.UNSPECIFIED, "catalog is unspecified");
  if (group.catalog !== Catalog.MEASURE) throw unimplemented("groups of other catalogs than measures");
  should(options !== undefined, "group resourceOpts is nil");
  const intervals = { segmentInterval: options?.segmentInterval, ttl: options?.ttl };
  for (const [field, rule] of Object.entries(intervals)) {
    should(rule !== undefined, `group ${field} is nil`);
    should(rule?.unit !== IntervalRule_Unit.UNSPECIFIED, `group ${field} unit is unspecified`);
  }
  return { group, name };
}

function checkTagFamily(family: TagFamilySpec): void {
  must(family.name !== "", "tag family name must not be empty");
  must(family.tags.length > 0, "a tag family must have a tag");
  for (const tag of family.tags) {
    must(tag.name !== "", "tag name must not be empty");
    must(isDefined(TagType, tag.type), "tag type must be one of the defined enum values");
  }
}

function checkField(field: FieldSpec): void {
  must(field.name !== "", "field name must not be empty");
  must(isDefined(FieldType, field.fieldType), "field_type must be one of the defined enum values");
  must(isDefined(EncodingMethod, field.encodingMethod), "encoding_method must be a defined enum value");
  must(
    isDefined(CompressionMethod, field.compressionMethod),
    "compression_method must be a defined enum value",
  );
}

/** What a real server accepts and then stores in ways that are not imitated here. */
function refuseUnusualTags(measure: Measure): void {
  const entity = new Set(measure.entity?.tagNames);
  for (const tag of measure.tagFamilies.flatMap((family) => family.tags)) {
    if (tag.type === TagType.TIMESTAMP) throw unimplemented("tags of type TIMESTAMP");
    const inEntity = entity.delete(tag.name);
    const isArray = tag.type === TagType.STRING_ARRAY || tag.type === TagType.INT_ARRAY;
    if (inEntity && isArray) throw unimplemented("arrays as entity tags");
  }
  if (entity.size > 0) throw unimplemented("entity tags that no tag family has");
  if (measure.indexMode) throw unimplemented("measures in index mode");
}

export interface CheckedMeasure {
  readonly measure: Measure;
  readonly group: string;
  readonly name: string;
}

/**
 * The rules for a measure that is created or updated, as far as they need no other object.
 * @throws RpcError
 */
export function checkMeasure(measure: Measure | undefined): CheckedMeasure {
  if (measure === undefined) throw panicked("nil pointer dereference: no measure");
  must(measure.metadata !== undefined, "measure.metadata is required");
  must(measure.tagFamilies.length > 0, "measure.tag_families must not be empty");
  measure.tagFamilies.forEach(checkTagFamily);
  measure.fields.forEach(checkField);
  must(measure.entity !== undefined, "measure.entity is required");
  must(measure.entity?.tagNames.length !== 0, "measure.entity.tag_names must not be empty");
  must(measure.shardingKey?.tagNames.length !== 0, "measure.sharding_key.tag_names must not be empty");

  should(measure.interval === "" || DURATION.test(measure.interval), "interval is malformed");
  const { name = "", group = "" } = measure.metadata ?? {};
  should(name !== "", "measure name is empty");
  should(group !== "", "measure group is empty");
  for (const field of measure.fields) {
    should(field.fieldType !== FieldType.UNSPECIFIED, "field type is unspecified");
    should(field.compressionMethod !== CompressionMethod.UNSPECIFIED, "compression method is unspecified");
  }
  should(
    !measure.indexMode || measure.fields.length === 0,
    "index mode is enabled, but fields are not empty",
  );
  for (const tag of measure.tagFamilies.flatMap((family) => family.tags)) {
    should(!tag.name.includes("#"), `tag name ${tag.name} must not contain #`);
    should(tag.type !== TagType.UNSPECIFIED, "tag type is unspecified");
  }
  refuseUnusualTags(measure);
  return { measure, group, name };
}

function tagNames(measure: Measure): Set<string> {
  return new Set(
    measure.tagFamilies.flatMap((family) => family.tags.map((tag) => `${family.name}.${tag.name}`)),
  );
}

/**
 * What an update of a measure may not change: interval, entity, index mode, the specification of a field
 * that stays, and the presence of an entity tag. The type of a tag is not compared.
 * @throws RpcError UNKNOWN
 */
export function checkMeasureUpdate(previous: Measure, next: Measure): void {
  const refuse = (what: string): never => {
    throw unknown(`validation failed: ${what}`);
  };
  if (previous.interval !== next.interval) refuse("interval is different");
  if (!previous.entity || !next.entity || !equals(EntitySchema, previous.entity, next.entity)) {
    refuse("entity is different");
  }
  if (previous.indexMode !== next.indexMode) refuse("index mode is different");
  const kept = tagNames(next);
  const entity = new Set(previous.entity?.tagNames);
  for (const family of previous.tagFamilies) {
    const lost = family.tags.find((tag) => entity.has(tag.name) && !kept.has(`${family.name}.${tag.name}`));
    if (lost !== undefined) refuse(`cannot delete entity tag ${lost.name} in tag family ${family.name}`);
  }
  for (const field of previous.fields) {
    const changed = next.fields.find((other) => other.name === field.name);
    if (changed && !equals(FieldSpecSchema, field, changed)) refuse(`field ${field.name} is different`);
  }
}
