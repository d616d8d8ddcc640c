import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { runQuery } from "../../../src/embedded/query.js";
import { createRecentChanges } from "../../../src/embedded/recent-changes.js";
import { createRegistry } from "../../../src/embedded/registry.js";
import { createRows } from "../../../src/embedded/rows.js";
import { RpcError } from "../../../src/embedded/rpc-error.js";
import { GroupSchema } from "../../../src/gen/banyandb/common/v1/common_pb.js";
import { MeasureSchema } from "../../../src/gen/banyandb/database/v1/database_pb.js";
import { QueryRequestSchema } from "../../../src/gen/banyandb/measure/v1/measure_pb.js";
import type { QueryRequest } from "../../../src/gen/banyandb/measure/v1/measure_pb.js";
import {
  Condition_BinaryOp,
  LogicalExpression_LogicalOp,
} from "../../../src/gen/banyandb/model/v1/model_pb.js";
import type { QueryChanges } from "../../support/banyandb-contract.js";
import { equal, groupInit, int, measureInit, str, timestamp } from "../../support/banyandb-contract.js";

const NOW_MS = 1_795_511_617_478;

function request(changes: QueryChanges = {}): QueryRequest {
  return create(QueryRequestSchema, {
    groups: ["g"],
    name: "m",
    timeRange: { begin: timestamp(NOW_MS), end: timestamp(NOW_MS) },
    fieldProjection: { names: ["pages"] },
    ...changes,
  });
}

describe("embedded BanyanDB: query", () => {
  const now = (): number => NOW_MS;
  const changes = createRecentChanges(5_000, now);
  const registry = createRegistry(changes, now);
  const rows = createRows({ changes, now, maxRows: 1_000 });
  registry.createGroup(create(GroupSchema, groupInit("g")));
  registry.createMeasure(create(MeasureSchema, measureInit("g", "m")));
  const run = (given: QueryRequest) => runQuery(registry, rows, given, NOW_MS);

  it("answers an empty measure with no points", () => {
    expect(run(request()).dataPoints).to.deep.equal([]);
  });

  it("tells its own clock in the trace of a query", () => {
    expect(run(request()).trace).to.equal(undefined);
    const [span] = run(request({ trace: true })).trace?.spans ?? [];
    expect(span?.endTime).to.deep.include({ seconds: BigInt(Math.floor(NOW_MS / 1000)), nanos: 478_000_000 });
  });

  const either = {
    op: LogicalExpression_LogicalOp.OR,
    left: equal("node", str("a")),
    right: equal("node", str("b")),
  };
  const among = { name: "node", op: Condition_BinaryOp.IN, value: str("a") };
  const beyond: Record<string, QueryChanges> = {
    "several groups": { groups: ["g", "h"] },
    "GROUP BY": { groupBy: { fieldName: "pages" } },
    aggregation: { agg: { fieldName: "pages" } },
    TOP: { top: { number: 1, fieldName: "pages" } },
    "an index rule": { orderBy: { indexRuleName: "rule" } },
    stages: { stages: ["warm"] },
    "rewritten aggregates": { rewriteAggTopNResult: true },
    "group revision": { groupModRevisions: { g: 1n } },
    "tag family": { tagProjection: { tagFamilies: [{ name: "none", tags: ["node"] }] } },
    OR: { criteria: { exp: { case: "le", value: either } } },
    IN: { criteria: { exp: { case: "condition", value: among } } },
  };
  for (const [what, given] of Object.entries(beyond)) {
    it(`says UNIMPLEMENTED to ${what}, and names it`, () => {
      const failure = expect(() => run(request(given))).to.throw(RpcError);
      failure.with.property("code", status.UNIMPLEMENTED);
      failure.with.property("message").that.includes(what);
    });
  }

  it("says UNKNOWN to criteria without content, without a value or with another operator", () => {
    const empty: QueryChanges[] = [
      { criteria: {} },
      { criteria: { exp: { case: "condition", value: { name: "node", op: Condition_BinaryOp.EQ } } } },
      {
        criteria: {
          exp: { case: "condition", value: { name: "cpu", op: Condition_BinaryOp.GE, value: int(1) } },
        },
      },
    ];
    for (const given of empty) {
      expect(() => run(request(given)))
        .to.throw(RpcError)
        .with.property("code", status.UNKNOWN);
    }
  });
});
