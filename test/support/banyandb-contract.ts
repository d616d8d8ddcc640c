/** What the contract suite writes and reads: small builders, and rows as plain objects. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { NullValue } from "@bufbuild/protobuf/wkt";
import type { Group } from "../../src/gen/banyandb/common/v1/common_pb.js";
import { Catalog, IntervalRule_Unit } from "../../src/gen/banyandb/common/v1/common_pb.js";
import type { Measure } from "../../src/gen/banyandb/database/v1/database_pb.js";
import {
  CompressionMethod,
  EncodingMethod,
  FieldType,
  GroupRegistryService,
  MeasureRegistryService,
  TagType,
} from "../../src/gen/banyandb/database/v1/database_pb.js";
import type {
  QueryRequest,
  QueryRequestSchema,
  WriteRequestSchema,
} from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { MeasureService } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import type {
  CriteriaSchema,
  FieldValue,
  FieldValueSchema,
  TagValue,
  TagValueSchema,
} from "../../src/gen/banyandb/model/v1/model_pb.js";
import { Condition_BinaryOp, LogicalExpression_LogicalOp } from "../../src/gen/banyandb/model/v1/model_pb.js";
import type { BanyandbClient, CallStatus } from "./banyandb-client.js";

/** The three kinds of server that differ; what main does, the embedded one does too. */
export type Dialect = "0.9" | "0.10" | "main";

export type TagInit = MessageInitShape<typeof TagValueSchema>;
export type FieldInit = MessageInitShape<typeof FieldValueSchema>;
export type RowInit = MessageInitShape<typeof WriteRequestSchema>;
export type CriteriaInit = MessageInitShape<typeof CriteriaSchema>;
/** What a test may set in a query; without the complete message, which cannot be spread. */
export type QueryChanges = Exclude<MessageInitShape<typeof QueryRequestSchema>, QueryRequest>;
export type PlainValue = string | bigint | number | Uint8Array | null;

export interface PlainRow {
  readonly timestampMs: number;
  readonly version: bigint;
  readonly tags: Readonly<Record<string, PlainValue>>;
  readonly fields: Readonly<Record<string, PlainValue>>;
}

export const str = (value: string): TagInit & FieldInit => ({ value: { case: "str", value: { value } } });
export const int = (value: bigint | number): TagInit & FieldInit => ({
  value: { case: "int", value: { value: BigInt(value) } },
});
export const float = (value: number): FieldInit => ({ value: { case: "float", value: { value } } });
export const nothing: TagInit & FieldInit = { value: { case: "null", value: NullValue.NULL_VALUE } };

export const equal = (name: string, value: TagInit): CriteriaInit => ({
  exp: { case: "condition", value: { name, op: Condition_BinaryOp.EQ, value } },
});
export const both = (left: CriteriaInit, right: CriteriaInit): CriteriaInit => ({
  exp: { case: "le", value: { op: LogicalExpression_LogicalOp.AND, left, right } },
});

export function timestamp(ms: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString("hex")}`;
}

export function groupInit(name: string, ttlDays = 7) {
  const days = (num: number) => ({
    unit: IntervalRule_Unit.DAY,
    num,
  });
  return {
    metadata: { name },
    catalog: Catalog.MEASURE,
    resourceOpts: { shardNum: 2, segmentInterval: days(1), ttl: days(ttlDays) },
  };
}

const field = (name: string, fieldType: FieldType) => ({
  name,
  fieldType,
  encodingMethod: EncodingMethod.GORILLA,
  compressionMethod: CompressionMethod.ZSTD,
});

/** Entity: node (text), cpu (number). Further tag: note (text). Fields: pages, percent, text. */
export function measureInit(group: string, name: string) {
  return {
    metadata: { group, name },
    tagFamilies: [
      {
        name: "default",
        tags: [
          { name: "node", type: TagType.STRING },
          { name: "cpu", type: TagType.INT },
          { name: "note", type: TagType.STRING },
        ],
      },
    ],
    fields: [
      field("pages", FieldType.INT),
      field("percent", FieldType.FLOAT),
      field("text", FieldType.STRING),
    ],
    entity: { tagNames: ["node", "cpu"] },
  };
}

export const extraField = field("extra", FieldType.INT);

function plain(value: TagValue | FieldValue | undefined): PlainValue {
  const arm = value?.value;
  switch (arm?.case) {
    case "str":
    case "int":
    case "float":
      return arm.value.value;
    case "binaryData":
      return arm.value;
    case "null":
      return null;
    case "strArray":
    case "intArray":
    case "timestamp":
    case undefined:
      throw new Error(`a query answered ${String(arm?.case)}`);
  }
}

/** Writes and reads one server, with names that no other run uses. */
export class ContractBench {
  readonly client: BanyandbClient;
  readonly group: string;
  /** A whole second a minute ago: rows are written around it. */
  readonly baseMs = Math.floor(Date.now() / 1000) * 1000 - 60_000;
  private readonly groups = new Set<string>();
  private nextMessageId = 1n;

  constructor(client: BanyandbClient) {
    this.client = client;
    this.group = uniqueName("contract");
  }

  /** Creates the group of the bench; main and the embedded server alone answer it with a revision. */
  async observeDialect(version: string): Promise<Dialect> {
    const revision = await this.createGroup(this.group);
    if (version === "0.9") return "0.9";
    return revision > 0n ? "main" : "0.10";
  }

  async createGroup(name: string): Promise<bigint> {
    this.groups.add(name);
    const { create } = GroupRegistryService.method;
    return (await this.client.call(create, { group: groupInit(name) })).modRevision;
  }

  async getGroup(name: string): Promise<Group> {
    const { group } = await this.client.call(GroupRegistryService.method.get, { group: name });
    if (group === undefined) throw new Error(`no group ${name} in the answer`);
    return group;
  }

  async getMeasure(name: string, group = this.group): Promise<Measure> {
    const metadata = { group, name };
    const { measure } = await this.client.call(MeasureRegistryService.method.get, { metadata });
    if (measure === undefined) throw new Error(`no measure ${name} in the answer`);
    return measure;
  }

  /** Creates a measure and waits until rows can be written. */
  async createMeasure(name = uniqueName("m"), group = this.group): Promise<Measure> {
    const measure = measureInit(group, name);
    await this.client.call(MeasureRegistryService.method.create, { measure });
    return this.untilApplied(await this.getMeasure(name, group));
  }

  /**
   * Waits until writing knows this revision: caches follow the registry some milliseconds later. The row that
   * asks lacks its tags, so that it is never stored.
   */
  async untilApplied(measure: Measure): Promise<Measure> {
    const giveUpAtMs = Date.now() + 10_000;
    for (;;) {
      const { statuses } = await this.write([this.row(measure, this.baseMs, [], [])]);
      if (statuses[0] === "STATUS_INTERNAL_ERROR") return measure;
      if (Date.now() > giveUpAtMs) throw new Error(`the measure is not known: ${String(statuses[0])}`);
      await sleep(20);
    }
  }

  messageId(): bigint {
    return this.nextMessageId++;
  }

  /** A row with the revision of the measure in its metadata. */
  row(measure: Measure, ms: number, tags: TagInit[], fields: FieldInit[], version = 1n) {
    const { group = "", name = "", modRevision = 0n } = measure.metadata ?? {};
    return {
      metadata: { group, name, modRevision },
      messageId: this.messageId(),
      dataPoint: { timestamp: timestamp(ms), tagFamilies: [{ tags }], fields, version },
    };
  }

  /** One stream: everything, half-close, all replies. Statuses are in the order of the replies. */
  async write(rows: readonly RowInit[]): Promise<{ end: CallStatus; statuses: string[]; ids: bigint[] }> {
    const stream = this.client.openWrite();
    for (const row of rows) stream.send(row);
    stream.end();
    const end = await stream.status;
    return {
      end,
      statuses: stream.replies.map((reply) => reply.status),
      ids: stream.replies.map((reply) => reply.messageId),
    };
  }

  queryInit(measure: Measure) {
    const { group = "", name = "" } = measure.metadata ?? {};
    return {
      groups: [group],
      name,
      timeRange: { begin: timestamp(this.baseMs - 3_600_000), end: timestamp(this.baseMs + 3_600_000) },
      tagProjection: {
        tagFamilies: measure.tagFamilies.map((family) => ({
          name: family.name,
          tags: family.tags.map((tag) => tag.name),
        })),
      },
      fieldProjection: { names: measure.fields.map((known) => known.name) },
    };
  }

  /** All rows of the measure, or those that `changes` to the query leave. */
  async read(measure: Measure, changes: QueryChanges = {}): Promise<PlainRow[]> {
    const request = { ...this.queryInit(measure), ...changes };
    const { dataPoints } = await this.client.call(MeasureService.method.query, request);
    return dataPoints.map((point) => ({
      timestampMs: Number(point.timestamp?.seconds) * 1000 + (point.timestamp?.nanos ?? 0) / 1_000_000,
      version: point.version,
      tags: Object.fromEntries(
        point.tagFamilies.flatMap((family) => family.tags.map((tag) => [tag.key, plain(tag.value)])),
      ),
      fields: Object.fromEntries(point.fields.map(({ name, value }) => [name, plain(value)])),
    }));
  }

  /** Deletes the groups that were made through the bench. */
  async cleanUp(): Promise<void> {
    for (const group of this.groups) {
      // One that a test or a stop of the server has already removed.
      await this.client
        .call(GroupRegistryService.method.delete, { group, force: true })
        .catch(() => undefined);
    }
  }
}
