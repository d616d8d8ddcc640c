/**
 * Which value of a sample stands where in a row. Values are positional, so the order is the one that the
 * server's measure has, as its registry returned it, never the order of schema/. Pure.
 */
import type { Measure } from "../gen/banyandb/database/v1/database_pb.js";
import type { GroupSpec, MeasureSpec } from "../model/measure.js";
import type { Identity } from "../model/tick.js";

/** Stands where a tag has no value: 0.9 reads an empty tag back as null, which is another series. */
export const ABSENT_TAG = "n/a";

/** Where the value of a tag of the server's measure comes from; null for a tag that we do not know. */
export type TagSlot =
  | { readonly from: "identity"; readonly index: number }
  | { readonly from: "sample"; readonly index: number }
  | null;

/** Which field of `MeasureSpec.fields` a field of the server's measure is; null for one that we do not know. */
export type FieldSlot = { readonly type: "int" | "float"; readonly index: number } | null;

/** How the samples of one measure become rows of one revision of the server's measure. */
export interface RowMapping {
  readonly group: string;
  readonly measure: string;
  /** Revision that the order below belongs to; in every row, so that the server says when it is another. */
  readonly modRevision: bigint;
  /** Of samples that have none of their own. */
  readonly identity: Identity;
  /** Tags of the first tag family, in the server's order. */
  readonly tags: readonly TagSlot[];
  /** In the server's order. */
  readonly fields: readonly FieldSlot[];
}

/**
 * Compiles the mapping. The caller has compared the server's measure with the wanted one (schema-diff.ts), so
 * that what is known by name has the right type, and our tag family is the first one.
 */
export function compileMapping(
  spec: MeasureSpec,
  groupSpec: GroupSpec,
  identity: Identity,
  server: Measure,
): RowMapping {
  const tagSlot = (name: string): TagSlot => {
    const ofIdentity = groupSpec.identityTags.findIndex((tag) => tag.name === name);
    if (ofIdentity >= 0) return { from: "identity", index: ofIdentity };
    const ofSample = spec.tags.findIndex((tag) => tag.name === name);
    return ofSample >= 0 ? { from: "sample", index: ofSample } : null;
  };
  const fieldSlot = (name: string): FieldSlot => {
    const index = spec.fields.findIndex((field) => field.name === name);
    const field = spec.fields[index];
    return field ? { type: field.type, index } : null;
  };
  return {
    group: server.metadata?.group ?? "",
    measure: spec.name,
    modRevision: server.metadata?.modRevision ?? 0n,
    identity,
    tags: (server.tagFamilies[0]?.tags ?? []).map(({ name }) => tagSlot(name)),
    fields: server.fields.map(({ name }) => fieldSlot(name)),
  };
}

/** Values of the tags of a row; undefined where a tag is not ours. Never empty. */
export function tagValues(
  mapping: RowMapping,
  sampleTags: readonly string[],
  identity: Identity = mapping.identity,
): (string | undefined)[] {
  return mapping.tags.map((slot) => {
    if (slot === null) return undefined;
    const value = (slot.from === "identity" ? identity : sampleTags)[slot.index];
    return value === undefined || value === "" ? ABSENT_TAG : value;
  });
}
