/** MeasureService.Query for what the sidecar and its tests ask; the rest is UNIMPLEMENTED. Knows no network. */
import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Measure } from "../gen/banyandb/database/v1/database_pb.js";
import {
  DataPoint_FieldSchema,
  DataPointSchema,
  QueryResponseSchema,
} from "../gen/banyandb/measure/v1/measure_pb.js";
import type { DataPoint, QueryRequest, QueryResponse } from "../gen/banyandb/measure/v1/measure_pb.js";
import { Sort, TagFamilySchema, TagSchema } from "../gen/banyandb/model/v1/model_pb.js";
import { decodePoint, nullField } from "./columns.js";
import { parseCriteria } from "./criteria.js";
import type { Registry } from "./registry.js";
import { invalidArgument, unimplemented, unknown } from "./rpc-error.js";
import type { Row, Rows } from "./rows.js";
import { wholeMs } from "./timestamps.js";
import { retentionOf } from "./write-batch.js";

/** pkg/query/logical/measure/measure_analyzer.go, defaultLimit, at apache/skywalking-banyandb 9ebac4516. */
const DEFAULT_LIMIT = 100;

function refuseWhatIsMissing(request: QueryRequest): void {
  const asked: readonly (readonly [string, boolean])[] = [
    ["queries over several groups", request.groups.length > 1],
    ["GROUP BY", request.groupBy !== undefined],
    ["aggregation", request.agg !== undefined],
    ["TOP", request.top !== undefined],
    ["ordering by an index rule", (request.orderBy?.indexRuleName ?? "") !== ""],
    ["lifecycle stages", request.stages.length > 0],
    ["rewritten aggregates", request.rewriteAggTopNResult],
    ["gates by group revision", Object.keys(request.groupModRevisions).length > 0],
  ];
  for (const [what, isAsked] of asked) if (isAsked) throw unimplemented(what);
}

function edgeMs(timestamp: Parameters<typeof wholeMs>[0]): number {
  const ms = wholeMs(timestamp);
  if (typeof ms === "number") return ms;
  throw invalidArgument(`the time range is invalid :${ms.problem}`);
}

function checkProjection(request: QueryRequest, measure: Measure): void {
  const families = request.tagProjection?.tagFamilies ?? [];
  const fields = request.fieldProjection?.names ?? [];
  if (families.length === 0 && fields.length === 0) {
    throw unknown("invalid query options: tagProjection or fieldProjection is required");
  }
  for (const { name, tags } of families) {
    const family = measure.tagFamilies.find((candidate) => candidate.name === name);
    // A real server goes by the names of the tags alone.
    if (family === undefined) throw unimplemented(`projection of the tag family ${name}, which is not there`);
    const lost = tags.find((tag) => !family.tags.some((candidate) => candidate.name === tag));
    if (lost !== undefined) throw unknown(`${lost}: tag is not defined: invalid query message`);
  }
  const lost = fields.find((name) => !measure.fields.some((candidate) => candidate.name === name));
  if (lost !== undefined) throw unknown(`field ${lost} not found in schema: invalid query message`);
}

/** A number for the series. Which one means nothing: a real server takes another hash. */
function seriesId(row: Row): bigint {
  const name = JSON.stringify([row.measureName, ...row.entity]);
  return createHash("sha256").update(name).digest().readBigUInt64BE();
}

function dataPointOf(row: Row, request: QueryRequest): DataPoint {
  const values = decodePoint(row.point);
  const tagFamilies = (request.tagProjection?.tagFamilies ?? []).map(({ name, tags }) =>
    create(TagFamilySchema, {
      name,
      tags: tags.map((key) => create(TagSchema, { key, value: values.tag(name, key) })),
    }),
  );
  const fields = (request.fieldProjection?.names ?? []).map((name) =>
    create(DataPoint_FieldSchema, { name, value: values.field(name) ?? nullField() }),
  );
  const timestamp = timestampFromMs(row.timestampMs);
  return create(DataPointSchema, {
    timestamp,
    tagFamilies,
    fields,
    sid: seriesId(row),
    version: row.version,
  });
}

/**
 * @param nowMs what time it is, which the trace of the query tells
 * @throws RpcError
 */
export function runQuery(
  registry: Registry,
  rows: Rows,
  request: QueryRequest,
  nowMs: number,
): QueryResponse {
  const group = request.groups[0];
  if (group === undefined) throw invalidArgument("invalid QueryRequest.groups: must contain at least 1 item");
  if (request.name === "") throw invalidArgument("invalid QueryRequest.name: must not be empty");
  if (request.timeRange === undefined) throw invalidArgument("invalid QueryRequest.time_range: is required");
  const beginMs = edgeMs(request.timeRange.begin);
  const endMs = edgeMs(request.timeRange.end);
  refuseWhatIsMissing(request);

  const measure = registry.findMeasure(group, request.name);
  const retention = retentionOf(registry.findGroup(group));
  if (measure === undefined || retention === undefined) {
    throw unknown(`fail to get execution context for measure ${request.name}: measure doesn't exist`);
  }
  checkProjection(request, measure);
  const wanted = parseCriteria(request.criteria, measure.entity?.tagNames ?? []);

  const sign = request.orderBy?.sort === Sort.DESC ? -1 : 1;
  const found = rows
    .find(group, request.name, retention)
    .filter(({ timestampMs }) => beginMs <= timestampMs && timestampMs <= endMs)
    .filter(({ entity }) => entity.every((key, index) => (wanted.get(index) ?? key) === key))
    .sort((a, b) => sign * (a.timestampMs - b.timestampMs));
  const page = found.slice(request.offset, request.offset + (request.limit || DEFAULT_LIMIT));
  const time = timestampFromMs(nowMs);
  return create(QueryResponseSchema, {
    dataPoints: page.map((row) => dataPointOf(row, request)),
    ...(request.trace && { trace: { spans: [{ startTime: time, endTime: time }] } }),
  });
}
