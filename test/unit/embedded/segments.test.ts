import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { durationMs, segmentFor } from "../../../src/embedded/segments.js";
import { IntervalRule_Unit, IntervalRuleSchema } from "../../../src/gen/banyandb/common/v1/common_pb.js";

const HOUR_MS = 3_600_000;
const days = (num: number) => create(IntervalRuleSchema, { unit: IntervalRule_Unit.DAY, num });
const hours = (num: number) => create(IntervalRuleSchema, { unit: IntervalRule_Unit.HOUR, num });
/** Local time, as the server counts days. */
const at = (...parts: [number, number, number, number?, number?]) => new Date(...parts).getTime();

describe("embedded BanyanDB: segments", () => {
  it("of one day go from local midnight to local midnight", () => {
    const segment = segmentFor([], days(1), at(2026, 10, 24, 9, 30));
    expect(segment).to.deep.equal({ startMs: at(2026, 10, 24), endMs: at(2026, 10, 25) });
  });

  it("of one hour go from full hour to full hour", () => {
    const segment = segmentFor([], hours(1), at(2026, 10, 24, 9, 30));
    expect(segment).to.deep.equal({ startMs: at(2026, 10, 24, 9), endMs: at(2026, 10, 24, 10) });
  });

  it("of several days lie on one grid, without a gap and without an overlap", () => {
    let segment = segmentFor([], days(3), at(2026, 10, 24));
    for (let i = 0; i < 5; i++) {
      const start = new Date(segment.startMs);
      expect(segment.endMs).to.equal(at(start.getFullYear(), start.getMonth(), start.getDate() + 3));
      const next = segmentFor([], days(3), segment.endMs);
      expect(next.startMs).to.equal(segment.endMs);
      expect(segmentFor([], days(3), next.endMs - 1)).to.deep.equal(next);
      segment = next;
    }
  });

  it("are used again by every timestamp in them", () => {
    const existing = [segmentFor([], days(1), at(2026, 10, 24, 9))];
    expect(segmentFor(existing, days(1), at(2026, 10, 24, 23, 59))).to.equal(existing[0]);
    expect(segmentFor(existing, days(1), at(2026, 10, 25))).to.not.equal(existing[0]);
  });

  it("end where one of an older interval begins, and begin where one ends", () => {
    const hour = segmentFor([], hours(1), at(2026, 10, 24, 9));
    expect(segmentFor([hour], days(1), at(2026, 10, 24, 3))).to.deep.equal({
      startMs: at(2026, 10, 24),
      endMs: hour.startMs,
    });
    expect(segmentFor([hour], days(1), at(2026, 10, 24, 12))).to.deep.equal({
      startMs: hour.endMs,
      endMs: at(2026, 10, 25),
    });
  });

  it("count a day as 24 hours in a TTL", () => {
    expect(durationMs(days(2))).to.equal(48 * HOUR_MS);
    expect(durationMs(hours(5))).to.equal(5 * HOUR_MS);
  });
});
