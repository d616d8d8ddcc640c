/** Groups and measures, and their revisions. Knows no rows. */
import { clone, create, equals } from "@bufbuild/protobuf";
import type { DescMessage } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { GroupSchema, MetadataSchema } from "../gen/banyandb/common/v1/common_pb.js";
import type { Group, Metadata } from "../gen/banyandb/common/v1/common_pb.js";
import { MeasureSchema } from "../gen/banyandb/database/v1/database_pb.js";
import type { Measure } from "../gen/banyandb/database/v1/database_pb.js";
import type { RecentChanges } from "./recent-changes.js";
import { invalidArgument, notFound, panicked, RpcError, unknown } from "./rpc-error.js";
import { checkGroup, checkMeasure, checkMeasureUpdate } from "./schema-rules.js";

export interface Registry {
  /** All of these throw an RpcError as the method of the same name does. */
  createGroup(group: Group | undefined): bigint;
  updateGroup(group: Group | undefined): bigint;
  deleteGroup(name: string): void;
  getGroup(name: string): Group;
  listGroups(): Group[];
  createMeasure(measure: Measure | undefined): bigint;
  updateMeasure(measure: Measure | undefined): bigint;
  deleteMeasure(metadata: Metadata | undefined): void;
  getMeasure(metadata: Metadata | undefined): Measure;
  listMeasures(group: string): Measure[];
  /** Without a fuss: undefined where there is none. The object is replaced, never changed, by an update. */
  findGroup(name: string): Group | undefined;
  findMeasure(group: string, name: string): Measure | undefined;
}

/** What both kinds have that the server sets. */
type Resource = Group | Measure;

function keyOf(group: string, name: string): string {
  // JSON keeps the two apart whatever is in them: the server refuses no name.
  return JSON.stringify([group, name]);
}

/** Equal but for what the server sets itself (schema.CheckerMap of banyand/metadata/schema/checker.go). */
function sameContent<T extends Resource>(previous: T, next: T): boolean {
  const bare = (resource: T): T => {
    const { group = "", name = "" } = resource.metadata ?? {};
    const metadata = create(MetadataSchema, { group, name });
    return { ...resource, metadata, updatedAt: undefined, createdAt: undefined };
  };
  const schema = previous.$typeName === "banyandb.common.v1.Group" ? GroupSchema : MeasureSchema;
  return equals<DescMessage>(schema, bare(previous), bare(next));
}

/**
 * @param now wall clock in milliseconds: revisions are nanoseconds, strictly increasing, also across stops
 */
export function createRegistry(changes: RecentChanges, now: () => number): Registry {
  const groups = new Map<string, Group>();
  const measures = new Map<string, Measure>();
  let lastRevision = 0n;

  function put<T extends Resource>(map: Map<string, T>, key: string, value: T | undefined): void {
    const previous = map.get(key);
    if (value === undefined) map.delete(key);
    else map.set(key, value);
    changes.record(() => {
      if (previous === undefined) map.delete(key);
      else map.set(key, previous);
    });
  }

  /** Sets what the server sets and returns the new revision. */
  function stamp(resource: Resource, createdAt: Resource["createdAt"]): bigint {
    const atMs = now();
    const clockRevision = BigInt(Math.round(atMs * 1000)) * 1000n;
    lastRevision = clockRevision > lastRevision ? clockRevision : lastRevision + 1n;
    const { group = "", name = "" } = resource.metadata ?? {};
    resource.metadata = create(MetadataSchema, { group, name, modRevision: lastRevision });
    resource.updatedAt = timestampFromMs(atMs);
    resource.createdAt = createdAt ?? resource.updatedAt;
    return lastRevision;
  }

  /** Stores `next` in the place of `previous`; where nothing differs it keeps the old one and its revision. */
  function replace<T extends Resource>(map: Map<string, T>, key: string, previous: T, next: T): bigint {
    if (sameContent(previous, next)) return previous.metadata?.modRevision ?? 0n;
    const revision = stamp(next, previous.createdAt);
    put(map, key, next);
    return revision;
  }

  function getGroup(name: string): Group {
    const group = groups.get(name);
    if (group === undefined) throw notFound();
    return group;
  }

  return {
    createGroup(given) {
      const { group, name } = checkGroup(given);
      if (groups.has(name)) throw new RpcError(status.ALREADY_EXISTS, "banyandb: resource already exists");
      const stored = clone(GroupSchema, group);
      const revision = stamp(stored, undefined);
      put(groups, name, stored);
      return revision;
    },
    updateGroup(given) {
      const { group, name } = checkGroup(given);
      const previous = groups.get(name);
      if (previous === undefined) throw unknown(`schema /${name} not exist`);
      return replace(groups, name, previous, clone(GroupSchema, group));
    },
    deleteGroup(name) {
      getGroup(name);
      for (const [key, measure] of measures) {
        if (measure.metadata?.group === name) put(measures, key, undefined);
      }
      put(groups, name, undefined);
    },
    getGroup,
    listGroups: () => [...groups.values()],
    createMeasure(given) {
      const { measure, group, name } = checkMeasure(given);
      getGroup(group);
      const key = keyOf(group, name);
      if (measures.has(key)) throw new RpcError(status.ALREADY_EXISTS, "banyandb: resource already exists");
      const stored = clone(MeasureSchema, measure);
      const revision = stamp(stored, undefined);
      put(measures, key, stored);
      return revision;
    },
    updateMeasure(given) {
      const { measure, group, name } = checkMeasure(given);
      getGroup(group);
      const key = keyOf(group, name);
      const previous = measures.get(key);
      if (previous === undefined) throw unknown(`schema ${group}/${name} not exist`);
      checkMeasureUpdate(previous, measure);
      return replace(measures, key, previous, clone(MeasureSchema, measure));
    },
    deleteMeasure(metadata) {
      if (metadata === undefined) throw panicked("nil pointer dereference: no metadata");
      const key = keyOf(metadata.group, metadata.name);
      if (measures.has(key)) put(measures, key, undefined);
    },
    getMeasure(metadata) {
      if (metadata === undefined) throw panicked("nil pointer dereference: no metadata");
      const measure = measures.get(keyOf(metadata.group, metadata.name));
      if (measure === undefined) throw notFound();
      return measure;
    },
    listMeasures(group) {
      if (group === "") throw invalidArgument("banyandb: input is invalid");
      return [...measures.values()].filter((measure) => measure.metadata?.group === group);
    },
    findGroup: (name) => groups.get(name),
    findMeasure: (group, name) => measures.get(keyOf(group, name)),
  };
}
