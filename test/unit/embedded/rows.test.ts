import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { createRecentChanges } from "../../../src/embedded/recent-changes.js";
import { createRows } from "../../../src/embedded/rows.js";
import type { Row, Rows } from "../../../src/embedded/rows.js";
import { IntervalRule_Unit, IntervalRuleSchema } from "../../../src/gen/banyandb/common/v1/common_pb.js";
import { MeasureSchema } from "../../../src/gen/banyandb/database/v1/database_pb.js";

const DAY_MS = 86_400_000;
const days = (num: number) => create(IntervalRuleSchema, { unit: IntervalRule_Unit.DAY, num });
const retention = { segmentInterval: days(1), ttl: days(7) };
const noonMs = new Date(2026, 10, 24, 12).getTime();

function row(timestampMs: number, version: bigint, entity = ["sa"], measureName = "m"): Row {
  return {
    measureName,
    entity,
    timestampMs,
    version,
    point: { measure: create(MeasureSchema), bytes: new Uint8Array() },
  };
}

describe("embedded BanyanDB: rows", () => {
  let nowMs: number;
  let changes: ReturnType<typeof createRecentChanges>;
  let rows: Rows;

  function start(maxRows = 1_000): void {
    nowMs = noonMs;
    changes = createRecentChanges(5_000, () => nowMs);
    rows = createRows({ changes, now: () => nowMs, maxRows });
  }
  const put = (...given: Row[]): void => {
    rows.put("g", retention, given);
  };
  const versions = (): bigint[] => rows.find("g", "m", retention).map(({ version }) => version);
  const offsets = (): number[] =>
    rows.find("g", "m", retention).map(({ timestampMs }) => timestampMs - noonMs);

  beforeEach(() => {
    start();
  });

  it("keep the higher version of two with the same entity and millisecond, whichever comes first", () => {
    put(row(noonMs, 2n), row(noonMs, 1n));
    put(row(noonMs + 1, 1n), row(noonMs + 1, 2n));
    expect(versions()).to.deep.equal([2n, 2n]);
  });

  it("keep the first of two with the same version", () => {
    const first = row(noonMs, 1n);
    put(first, row(noonMs, 1n));
    expect(rows.find("g", "m", retention)).to.have.length(1);
    expect(rows.find("g", "m", retention)[0]).to.equal(first);
  });

  it("are told apart by group, measure, entity and millisecond", () => {
    put(row(noonMs, 1n), row(noonMs, 1n, ["sb"]), row(noonMs, 1n, ["sa", "sb"]), row(noonMs + 1, 1n));
    put(row(noonMs, 1n, ["sa"], "other"));
    rows.put("other", retention, [row(noonMs, 1n)]);
    expect(rows.find("g", "m", retention)).to.have.length(4);
    expect(rows.size).to.equal(6);
  });

  it("of the last seconds are forgotten by a stop, and the version before comes back", () => {
    put(row(noonMs, 1n));
    nowMs += 6_000;
    put(row(noonMs, 2n), row(noonMs + 1, 1n));
    changes.undo();
    expect(versions()).to.deep.equal([1n]);
    expect(offsets()).to.deep.equal([0]);
  });

  it("beyond the highest number push out the ones stored first", () => {
    start(3);
    put(...[0, 1, 2, 3, 4].map((offset) => row(noonMs + offset, 1n)));
    expect(offsets()).to.deep.equal([2, 3, 4]);
    put(row(noonMs + 3, 2n));
    expect(offsets()).to.deep.equal([2, 3, 4]);
  });

  it("from before 1970 are not stored", () => {
    put(row(0, 1n), row(-1, 1n));
    expect(rows.size).to.equal(0);
  });

  it("of a segment older than the TTL are hidden", () => {
    put(row(noonMs - 6 * DAY_MS, 1n), row(noonMs - 8 * DAY_MS, 1n));
    expect(offsets()).to.deep.equal([-6 * DAY_MS]);
    nowMs += 3 * DAY_MS;
    expect(offsets()).to.deep.equal([]);
  });

  it("of today go when one comes from beyond the TTL in the future, and only those of its group", () => {
    put(row(noonMs, 1n));
    rows.put("other", retention, [row(noonMs, 1n)]);
    // The segment of today ends in half a day.
    put(row(noonMs + 7.4 * DAY_MS, 1n));
    expect(offsets()).to.deep.equal([0, 7.4 * DAY_MS]);
    put(row(noonMs + 7.6 * DAY_MS, 1n));
    expect(offsets()).to.deep.equal([7.4 * DAY_MS, 7.6 * DAY_MS]);
    expect(rows.find("other", "m", retention)).to.have.length(1);
  });

  it("that retention removed do not come back with a stop", () => {
    put(row(noonMs, 1n));
    nowMs += 6_000;
    put(row(noonMs, 2n));
    put(row(noonMs + 9 * DAY_MS, 1n));
    changes.undo();
    expect(rows.size).to.equal(0);
  });

  it("are stored again after retention has removed their segment", () => {
    put(row(noonMs, 1n));
    put(row(noonMs + 9 * DAY_MS, 1n));
    put(row(noonMs, 1n));
    expect(offsets()).to.deep.equal([9 * DAY_MS, 0]);
  });

  it("go with their group, for good", () => {
    put(row(noonMs, 1n));
    expect(rows.hasGroup("g")).to.equal(true);
    rows.dropGroup("g");
    changes.undo();
    expect(rows.hasGroup("g")).to.equal(false);
    expect(rows.size).to.equal(0);
  });
});
