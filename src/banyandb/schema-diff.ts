/**
 * Compares what we want with what the server has. Pure. What only concerns storage (encoding, compression,
 * times) is not compared: it is the operator's.
 */
import { clone } from "@bufbuild/protobuf";
import {
  Catalog,
  IntervalRule_Unit,
  type Group,
  type IntervalRule,
} from "../gen/banyandb/common/v1/common_pb.js";
import { FieldType, MeasureSchema, TagType, type Measure } from "../gen/banyandb/database/v1/database_pb.js";

export type MeasureDiff =
  | { readonly kind: "equal" }
  /** Fields are missing: `union` is the server's measure with them at its end, `lines` names them. */
  | { readonly kind: "additive"; readonly union: Measure; readonly lines: readonly string[] }
  /** Cannot be mended by adding; `lines` says what differs. */
  | { readonly kind: "conflict"; readonly lines: readonly string[] };

/** Compares a measure with the wanted one. The server may have more fields, and more tags outside the entity. */
export function diffMeasure(wanted: Measure, server: Measure): MeasureDiff {
  const name = wanted.metadata?.name ?? "";
  const lines = [
    ...diffShape(wanted, server),
    ...diffTags(wanted, server),
    ...diffFieldTypes(wanted, server),
  ];
  if (lines.length > 0) return { kind: "conflict", lines: lines.map((line) => `measure ${name}: ${line}`) };
  const missing = wanted.fields.filter((field) => !server.fields.some((other) => other.name === field.name));
  if (missing.length === 0) return { kind: "equal" };
  const union = clone(MeasureSchema, server);
  // At the end, so that writers of the older order stay right.
  union.fields.push(...missing);
  return {
    kind: "additive",
    union,
    lines: missing.map((field) => `measure ${name}: field ${field.name} is missing`),
  };
}

function diffShape(wanted: Measure, server: Measure): string[] {
  const lines: string[] = [];
  const [ours, theirs] = [wanted, server].map(({ entity }) => (entity?.tagNames ?? []).join(", "));
  if (ours !== theirs) lines.push(`the entity is (${theirs}), not (${ours})`);
  if (server.indexMode) lines.push("it is in index mode, which has no fields");
  if (server.interval !== wanted.interval)
    lines.push(`the interval is ${quoted(server.interval)}, not ${quoted(wanted.interval)}`);
  if (server.shardingKey)
    lines.push(`it has a sharding key (${server.shardingKey.tagNames.join(", ")}), which it must not have`);
  return lines;
}

function diffTags(wanted: Measure, server: Measure): string[] {
  const [family] = wanted.tagFamilies;
  const [theirs] = server.tagFamilies;
  if (!family) return [];
  if (theirs?.name !== family.name) {
    return [`the first tag family is ${quoted(theirs?.name ?? "")}, not ${quoted(family.name)}`];
  }
  return family.tags.flatMap((tag) => {
    const other = theirs.tags.find(({ name }) => name === tag.name);
    if (!other) return [`tag ${tag.name} is missing`];
    return other.type === tag.type
      ? []
      : [`tag ${tag.name} is of type ${TagType[other.type]}, not ${TagType[tag.type]}`];
  });
}

function diffFieldTypes(wanted: Measure, server: Measure): string[] {
  return wanted.fields.flatMap((field) => {
    const other = server.fields.find(({ name }) => name === field.name);
    if (!other || other.fieldType === field.fieldType) return [];
    return [
      `field ${field.name} is of type ${FieldType[other.fieldType]}, not ${FieldType[field.fieldType]}`,
    ];
  });
}

export interface GroupDiff {
  /** The group cannot be used; undefined where it can. */
  readonly conflict: string | undefined;
  /** What differs but is the operator's: an existing group is never changed. */
  readonly notes: readonly string[];
}

export function diffGroup(wanted: Group, server: Group): GroupDiff {
  const name = wanted.metadata?.name ?? "";
  const conflict =
    server.catalog === wanted.catalog
      ? undefined
      : `group ${name}: the catalog is ${Catalog[server.catalog]}, not ${Catalog[wanted.catalog]}`;
  const [ours, theirs] = [wanted, server].map(({ resourceOpts }) => ({
    shards: String(resourceOpts?.shardNum ?? 0),
    "segment interval": ruleText(resourceOpts?.segmentInterval),
    ttl: ruleText(resourceOpts?.ttl),
  }));
  const notes = (["shards", "segment interval", "ttl"] as const)
    .filter((item) => ours?.[item] !== theirs?.[item])
    .map(
      (item) =>
        `group ${name}: ${item} is ${theirs?.[item] ?? ""}, the configuration says ${ours?.[item] ?? ""}`,
    );
  return { conflict, notes };
}

function ruleText(rule: IntervalRule | undefined): string {
  if (!rule) return "none";
  return `${rule.num} ${IntervalRule_Unit[rule.unit].toLowerCase()}`;
}

function quoted(text: string): string {
  return `"${text}"`;
}
