/** Asks BanyanDB what it knows of time: its own clock, and the newest rows. */
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { IntervalRule_Unit } from "../gen/banyandb/common/v1/common_pb.js";
import { GroupRegistryService } from "../gen/banyandb/database/v1/database_pb.js";
import {
  MeasureService,
  type QueryRequestSchema,
  type QueryResponse,
} from "../gen/banyandb/measure/v1/measure_pb.js";
import { Condition_BinaryOp, Sort } from "../gen/banyandb/model/v1/model_pb.js";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Schema } from "../model/measure.js";
import type { Witnesses } from "./clock-guard.js";
import type { Transport } from "./transport.js";

export interface WitnessRequest {
  readonly transport: Transport;
  readonly group: string;
  readonly schema: Schema;
  /** Values of the group's identity tags; the first one is unique. */
  readonly identity: readonly string[];
  readonly signal: AbortSignal;
}

export interface Testimony extends Witnesses {
  /** Newest row of this identity; a later row must not have its timestamp again. */
  readonly ownNewestMs: number | undefined;
}

const DEADLINE_MS = 10_000;
/** Later than any row that does not come from a broken clock, and within the 64-bit nanoseconds of the server. */
const END_OF_TIME_MS = Date.UTC(2200, 0, 1);
const HOUR_MS = 3_600_000;

/**
 * Two queries of one row each, and the group. The measure asked is the one that has a row for every interval.
 * @throws BanyanError
 */
export async function askWitnesses(request: WitnessRequest): Promise<Testimony> {
  const { transport, group, signal } = request;
  const options = { deadlineMs: DEADLINE_MS, signal };
  const { group: found } = await transport.call(GroupRegistryService.method.get, { group }, options);
  const ttl = found?.resourceOpts?.ttl;
  const newest = await transport.call(MeasureService.method.query, newestRow(request, false), options);
  const own = await transport.call(MeasureService.method.query, newestRow(request, true), options);
  return {
    serverMs: serverClockMs(own),
    newestMs: timeOfRow(newest),
    ownNewestMs: timeOfRow(own),
    ttlMs: (ttl?.num ?? 0) * (ttl?.unit === IntervalRule_Unit.DAY ? 24 : 1) * HOUR_MS,
  };
}

function newestRow(
  { group, schema, identity }: WitnessRequest,
  own: boolean,
): MessageInitShape<typeof QueryRequestSchema> {
  const measure = schema.measures.find(({ heartbeat }) => heartbeat) ?? schema.measures[0];
  const { tagFamily, identityTags } = schema.group;
  const tag = identityTags[0]?.name ?? "";
  const condition = {
    name: tag,
    op: Condition_BinaryOp.EQ,
    value: { value: { case: "str" as const, value: { value: identity[0] ?? "" } } },
  };
  return {
    groups: [group],
    name: measure?.name ?? "",
    timeRange: { begin: timestampFromMs(1), end: timestampFromMs(END_OF_TIME_MS) },
    ...(own && { criteria: { exp: { case: "condition", value: condition } } }),
    tagProjection: { tagFamilies: [{ name: tagFamily, tags: [tag] }] },
    orderBy: { sort: Sort.DESC },
    limit: 1,
    trace: true,
  };
}

function timeOfRow({ dataPoints }: QueryResponse): number | undefined {
  const timestamp = dataPoints[0]?.timestamp;
  return timestamp && timestampMs(timestamp);
}

/** The trace of a query tells when it ran, by the server's clock (verified on 0.9.0, 0.10.3 and later). */
function serverClockMs({ trace }: QueryResponse): number | undefined {
  const endTime = trace?.spans[0]?.endTime;
  return endTime && timestampMs(endTime);
}
