/** What is really stored, as the server's own query tells it: the rows of one identity in a time range. */
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { MeasureService, type DataPoint } from "../gen/banyandb/measure/v1/measure_pb.js";
import { Condition_BinaryOp, Sort } from "../gen/banyandb/model/v1/model_pb.js";
import type { GroupSpec, MeasureSpec } from "../model/measure.js";
import { BanyanError } from "./errors.js";
import type { Transport } from "./transport.js";

export interface ReadBackRequest {
  readonly transport: Transport;
  readonly group: string;
  readonly groupSpec: GroupSpec;
  readonly measure: MeasureSpec;
  /** Values of the group's identity tags; rows are asked for by the first one, which is unique. */
  readonly identity: readonly string[];
  /** Both inclusive, whole milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Of each query; 30 s, if absent. */
  readonly deadlineMs?: number;
}

export interface StoredRow {
  readonly timestampMs: number;
  readonly version: bigint;
  readonly tags: Readonly<Record<string, string>>;
  /** A field that is null is absent. */
  readonly fields: Readonly<Record<string, number>>;
}

export interface StoredRows {
  /** By time. */
  readonly rows: readonly StoredRow[];
  /** Sum of each field of the measure over all rows. */
  readonly sums: Readonly<Record<string, number>>;
}

const QUERY_DEADLINE_MS = 30_000;
/** Rows per query: about 1 MiB of answer, where the limit is 16 MiB (transport.ts). */
const PAGE_ROWS = 1000;

/**
 * Reads rows page by page, each from the last timestamp of the one before.
 * @throws BanyanError
 */
export async function readBack(request: ReadBackRequest): Promise<StoredRows> {
  const rows = new Map<string, StoredRow>();
  for (let fromMs = request.fromMs; ;) {
    const page = await queryPage(request, fromMs);
    const before = rows.size;
    for (const row of page) rows.set([row.timestampMs, ...Object.values(row.tags)].join("\u0000"), row);
    if (page.length < PAGE_ROWS) break;
    const lastMs = page.at(-1)?.timestampMs ?? fromMs;
    if (rows.size === before || lastMs === fromMs) {
      throw new BanyanError({
        code: "OUT_OF_RANGE",
        operation: "read back",
        object: `measure ${request.measure.name}`,
        detail: `more than ${PAGE_ROWS} rows with one timestamp`,
      });
    }
    fromMs = lastMs;
  }
  const sums: Record<string, number> = {};
  for (const { name } of request.measure.fields) {
    sums[name] = [...rows.values()].reduce((sum, { fields }) => sum + (fields[name] ?? 0), 0);
  }
  return { rows: [...rows.values()], sums };
}

async function queryPage(request: ReadBackRequest, fromMs: number): Promise<StoredRow[]> {
  const { group, groupSpec, measure, identity, toMs } = request;
  const tags = [...groupSpec.identityTags, ...measure.tags].map(({ name }) => name);
  const response = await request.transport.call(
    MeasureService.method.query,
    {
      groups: [group],
      name: measure.name,
      timeRange: { begin: timestampFromMs(fromMs), end: timestampFromMs(toMs) },
      criteria: {
        exp: {
          case: "condition",
          value: {
            name: groupSpec.identityTags[0]?.name ?? "",
            op: Condition_BinaryOp.EQ,
            value: { value: { case: "str", value: { value: identity[0] ?? "" } } },
          },
        },
      },
      tagProjection: { tagFamilies: [{ name: groupSpec.tagFamily, tags }] },
      fieldProjection: { names: measure.fields.map(({ name }) => name) },
      orderBy: { sort: Sort.ASC },
      limit: PAGE_ROWS,
    },
    { deadlineMs: request.deadlineMs ?? QUERY_DEADLINE_MS },
  );
  return response.dataPoints.map(storedRow);
}

function storedRow({ timestamp, version, tagFamilies, fields }: DataPoint): StoredRow {
  const tags: Record<string, string> = {};
  for (const { key, value } of tagFamilies.flatMap((family) => family.tags)) {
    if (value?.value.case === "str") tags[key] = value.value.value.value;
  }
  const numbers: Record<string, number> = {};
  for (const { name, value } of fields) {
    const arm = value?.value;
    if (arm?.case === "int") numbers[name] = Number(arm.value.value);
    else if (arm?.case === "float") numbers[name] = arm.value.value;
  }
  return { timestampMs: timestamp ? timestampMs(timestamp) : 0, version, tags, fields: numbers };
}
