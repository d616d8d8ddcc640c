/**
 * One write stream: what is admitted, refused or ends the stream, and what is stored when it ends. Knows no
 * network. The behaviour is that of banyand/liaison/grpc/measure.go and banyand/measure/write_standalone.go
 * at apache/skywalking-banyandb 9ebac4516.
 */
import { create } from "@bufbuild/protobuf";
import type { Group, Metadata } from "../gen/banyandb/common/v1/common_pb.js";
import type { DataPointValue, WriteRequest, WriteResponse } from "../gen/banyandb/measure/v1/measure_pb.js";
import { WriteResponseSchema } from "../gen/banyandb/measure/v1/measure_pb.js";
import { Status } from "../gen/banyandb/model/v1/model_pb.js";
import { encodePoint, entityValueKey, entityValues } from "./columns.js";
import type { Registry } from "./registry.js";
import { invalidArgument, panicked, unimplemented, unknown } from "./rpc-error.js";
import type { RpcError } from "./rpc-error.js";
import type { Retention, Row, Rows } from "./rows.js";
import { wholeMs } from "./timestamps.js";

export type Admission =
  /** It is answered when the stream ends. */
  | { readonly kind: "admitted" }
  /** It is answered at once, and the stream goes on. */
  | { readonly kind: "refused"; readonly reply: WriteResponse }
  /** The stream ends with this error, after what was admitted has been stored and answered. */
  | { readonly kind: "ended"; readonly error: RpcError }
  /** The stream ends with this error, and nothing of it is stored or answered. */
  | { readonly kind: "lost"; readonly error: RpcError };

export interface WriteBatch {
  admit(request: WriteRequest): Admission;
  /** Stores what was admitted and returns the replies, in the order of admission. */
  commit(): WriteResponse[];
}

interface Admitted {
  readonly metadata: Metadata;
  readonly messageId: bigint;
  readonly point: DataPointValue;
  readonly entity: readonly string[];
  readonly timestampMs: number;
}

/** The rules of the .proto file: the first that is broken. */
function brokenRule(request: WriteRequest): string | undefined {
  const point = request.dataPoint;
  if (request.messageId === 0n) return "WriteRequest.message_id must be greater than 0";
  if (point === undefined) return "WriteRequest.data_point is required";
  if (point.timestamp === undefined) return "DataPointValue.timestamp is required";
  if (point.tagFamilies.length === 0) return "DataPointValue.tag_families must contain at least 1 item";
  return undefined;
}

function reply(metadata: Metadata, messageId: bigint, status: Status): WriteResponse {
  return create(WriteResponseSchema, { metadata, messageId, status: `STATUS_${Status[status]}` });
}

/** How long rows of the group stay and in which segments; undefined where the group does not say. */
export function retentionOf(group: Group | undefined): Retention | undefined {
  const { segmentInterval, ttl } = group?.resourceOpts ?? {};
  return segmentInterval && ttl && { segmentInterval, ttl };
}

export function createWriteBatch(registry: Registry, rows: Rows): WriteBatch {
  const admitted: Admitted[] = [];
  /** Of the newest message that had some. */
  let metadata: Metadata | undefined;

  /** The gate that a request with a revision passes. */
  function gate({ group, name, modRevision }: Metadata): Status {
    if (modRevision <= 0n) return Status.SUCCEED;
    const measure = registry.findMeasure(group, name);
    if (measure === undefined) return Status.NOT_FOUND;
    const current = measure.metadata?.modRevision ?? 0n;
    if (modRevision < current) return Status.EXPIRED_SCHEMA;
    return modRevision > current ? Status.SCHEMA_NOT_APPLIED : Status.SUCCEED;
  }

  function admitPoint(of: Metadata, messageId: bigint, point: DataPointValue): Admission {
    const refuse = (status: Status): Admission => ({ kind: "refused", reply: reply(of, messageId, status) });
    const timestampMs = wholeMs(point.timestamp);
    if (typeof timestampMs !== "number") return refuse(Status.INVALID_TIMESTAMP);
    const status = gate(of);
    if (status !== Status.SUCCEED) return refuse(status);
    const measure = registry.findMeasure(of.group, of.name);
    const values = measure && entityValues(measure, point.tagFamilies);
    if (values === undefined) return refuse(Status.INTERNAL_ERROR);
    const entity: string[] = [];
    for (const value of values) {
      const key = entityValueKey(value);
      if (key === undefined) return { kind: "lost", error: panicked("unknown tag value type") };
      entity.push(key);
    }
    admitted.push({ metadata: of, messageId, point, entity, timestampMs });
    return { kind: "admitted" };
  }

  /** The row to store; undefined where storage refuses it, of which nobody is told. */
  function rowOf({ metadata: { group, name }, messageId, point, ...rest }: Admitted): Row | undefined {
    const measure = registry.findMeasure(group, name);
    if (measure === undefined || point.tagFamilies.length > measure.tagFamilies.length) return undefined;
    return {
      measureName: name,
      entity: rest.entity,
      timestampMs: rest.timestampMs,
      version: point.version === 0n ? BigInt.asIntN(64, messageId) : point.version,
      point: encodePoint(measure, point),
    };
  }

  return {
    admit(request) {
      const broken = brokenRule(request);
      if (broken !== undefined) return { kind: "ended", error: invalidArgument(`invalid ${broken}`) };
      metadata = request.metadata ?? metadata;
      if (metadata === undefined) {
        return { kind: "ended", error: unknown("metadata is required for the first request of gRPC stream") };
      }
      if (request.dataPointSpec !== undefined) {
        return { kind: "ended", error: unimplemented("writing with a data_point_spec") };
      }
      return request.dataPoint === undefined
        ? { kind: "admitted" }
        : admitPoint(metadata, request.messageId, request.dataPoint);
    },
    commit() {
      const byGroup = new Map<string, Row[]>();
      for (const entry of admitted) {
        const row = rowOf(entry);
        if (row === undefined) continue;
        const { group } = entry.metadata;
        const known = byGroup.get(group);
        if (known === undefined) byGroup.set(group, [row]);
        else known.push(row);
      }
      for (const [group, groupRows] of byGroup) {
        const retention = retentionOf(registry.findGroup(group));
        if (retention !== undefined) rows.put(group, retention, groupRows);
      }
      return admitted.splice(0).map((entry) => reply(entry.metadata, entry.messageId, Status.SUCCEED));
    },
  };
}
