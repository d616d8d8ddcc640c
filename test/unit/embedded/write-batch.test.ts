import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { createRecentChanges } from "../../../src/embedded/recent-changes.js";
import { createRegistry } from "../../../src/embedded/registry.js";
import type { Registry } from "../../../src/embedded/registry.js";
import { createRows } from "../../../src/embedded/rows.js";
import type { Rows } from "../../../src/embedded/rows.js";
import { createWriteBatch, retentionOf } from "../../../src/embedded/write-batch.js";
import type { Admission, WriteBatch } from "../../../src/embedded/write-batch.js";
import { GroupSchema } from "../../../src/gen/banyandb/common/v1/common_pb.js";
import { MeasureSchema } from "../../../src/gen/banyandb/database/v1/database_pb.js";
import type { WriteRequest } from "../../../src/gen/banyandb/measure/v1/measure_pb.js";
import { DataPointSpecSchema, WriteRequestSchema } from "../../../src/gen/banyandb/measure/v1/measure_pb.js";
import { groupInit, int, measureInit, str, timestamp } from "../../support/banyandb-contract.js";

const NOW_MS = 1_795_511_617_478;

function request(messageId: number, changes: Partial<WriteRequest> = {}): WriteRequest {
  const valid = create(WriteRequestSchema, {
    metadata: { group: "g", name: "m" },
    messageId: BigInt(messageId),
    dataPoint: { timestamp: timestamp(NOW_MS + messageId), tagFamilies: [{ tags: [str("a"), int(1)] }] },
  });
  return { ...valid, ...changes };
}

function outcome(admission: Admission): string {
  if (admission.kind === "refused") return admission.reply.status;
  return admission.kind === "admitted" ? "admitted" : `${admission.kind} ${status[admission.error.code]}`;
}

describe("embedded BanyanDB: write batch", () => {
  let registry: Registry;
  let rows: Rows;
  let batch: WriteBatch;
  const stored = (): number => rows.size;

  beforeEach(() => {
    const now = (): number => NOW_MS;
    const changes = createRecentChanges(5_000, now);
    registry = createRegistry(changes, now);
    rows = createRows({ changes, now, maxRows: 1_000 });
    registry.createGroup(create(GroupSchema, groupInit("g")));
    registry.createMeasure(create(MeasureSchema, measureInit("g", "m")));
    batch = createWriteBatch(registry, rows);
  });

  it("stores and answers nothing before it is committed, then all in order", () => {
    for (const id of [3, 1, 2]) expect(outcome(batch.admit(request(id)))).to.equal("admitted");
    expect(stored()).to.equal(0);
    expect(batch.commit().map((reply) => reply.messageId)).to.deep.equal([3n, 1n, 2n]);
    expect(stored()).to.equal(3);
  });

  it("answers nothing a second time", () => {
    batch.admit(request(1));
    batch.commit();
    expect(batch.commit()).to.deep.equal([]);
  });

  it("keeps the metadata of the message before, and changes measure with new metadata", () => {
    const { messageId, dataPoint } = request(2);
    const bare = create(WriteRequestSchema, { messageId, ...(dataPoint && { dataPoint }) });
    expect(outcome(batch.admit(bare))).to.equal("ended UNKNOWN");
    expect(outcome(batch.admit(request(1)))).to.equal("admitted");
    expect(outcome(batch.admit(bare))).to.equal("admitted");
    const other = request(3);
    if (other.metadata) other.metadata.name = "none";
    expect(outcome(batch.admit(other))).to.equal("STATUS_INTERNAL_ERROR");
  });

  it("checks the timestamp before the revision, and the revision before the values", () => {
    const expired = request(1);
    if (expired.metadata) expired.metadata.modRevision = 1n;
    expired.dataPoint?.tagFamilies[0]?.tags.splice(1);
    expect(outcome(batch.admit(expired))).to.equal("STATUS_EXPIRED_SCHEMA");
    if (expired.dataPoint?.timestamp) expired.dataPoint.timestamp.nanos += 1;
    expect(outcome(batch.admit(expired))).to.equal("STATUS_INVALID_TIMESTAMP");
  });

  it("refuses a time that 64 bits of nanoseconds cannot hold", () => {
    const far = request(1);
    if (far.dataPoint?.timestamp) far.dataPoint.timestamp.seconds = 9_300_000_000n;
    expect(outcome(batch.admit(far))).to.equal("STATUS_INVALID_TIMESTAMP");
  });

  it("says UNIMPLEMENTED to a data_point_spec, after which what came before can be committed", () => {
    batch.admit(request(1));
    const spec = create(DataPointSpecSchema, { fieldNames: ["pages"] });
    expect(outcome(batch.admit(request(2, { dataPointSpec: spec })))).to.equal("ended UNIMPLEMENTED");
    expect(batch.commit()).to.have.length(1);
    expect(stored()).to.equal(1);
  });

  it("is lost with an entity value that has no arm", () => {
    const armless = request(2);
    const [tag] = armless.dataPoint?.tagFamilies[0]?.tags ?? [];
    if (tag) tag.value = { case: undefined };
    expect(outcome(batch.admit(armless))).to.equal("lost INTERNAL");
  });

  it("acknowledges rows of a measure or group that is deleted before the commit, and loses them", () => {
    batch.admit(request(1));
    registry.deleteGroup("g");
    expect(batch.commit().map((reply) => reply.status)).to.deep.equal(["STATUS_SUCCEED"]);
    expect(stored()).to.equal(0);
  });

  it("takes the message id as a signed number for version 0", () => {
    batch.admit(request(1, { messageId: 2n ** 64n - 5n }));
    batch.commit();
    const retention = retentionOf(registry.getGroup("g"));
    const found = retention === undefined ? [] : rows.find("g", "m", retention);
    expect(found.map((row) => row.version)).to.deep.equal([-5n]);
  });
});
