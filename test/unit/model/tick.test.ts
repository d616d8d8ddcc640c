import { expect } from "chai";
import { parseMeasure } from "../../../src/model/measure.js";
import {
  fieldValues,
  makeSample,
  mergeTicks,
  saysSomething,
  tickBytes,
  tickVersion,
  type Sample,
  type Tick,
} from "../../../src/model/tick.js";

const measure = parseMeasure("test.json", {
  measure: "test",
  description: "d",
  tags: [{ name: "part", description: "d" }],
  fields: [
    { name: "hit", type: "int", unit: "pages", merge: "sum", source: ["hit"], description: "d" },
    {
      name: "missed",
      type: "int",
      unit: "pages",
      merge: "sum",
      source: ["missed_a", "missed_b"],
      description: "d",
    },
    { name: "queue", type: "int", unit: "bytes", merge: "last", source: ["queue"], description: "d" },
    { name: "peak", type: "int", unit: "bytes", merge: "max", source: ["peak"], description: "d" },
    {
      name: "miss_percent",
      type: "float",
      unit: "percent",
      percent: { part: "missed", whole: ["hit", "missed"] },
      description: "d",
    },
    { name: "interval_ms", type: "int", unit: "ms", merge: "sum", source: ["interval_ms"], description: "d" },
  ],
});

function sample(part: string, values: Record<string, number>): Sample {
  return makeSample(measure, [part], (source) => values[source]);
}

function tick(timestampMs: number, intervalMs: number, ...samples: Sample[]): Tick {
  return { timestampMs, version: tickVersion(timestampMs, 0), intervalMs, samples };
}

function byName(s: Sample, intervalMs: number): Record<string, number | undefined> {
  const values = fieldValues(s, intervalMs);
  return Object.fromEntries(measure.fields.map(({ name }, i) => [name, values[i]]));
}

describe("tick", () => {
  it("derives fields from sources", () => {
    const values = byName(sample("a", { hit: 2, missed_a: 1, missed_b: 0, queue: 5, peak: 7 }), 1000);
    expect(values).to.deep.equal({
      hit: 2,
      missed: 1,
      queue: 5,
      peak: 7,
      miss_percent: 33.333,
      interval_ms: 1000,
    });
  });

  it("has no ratio without anything to divide by, and no count of an absent source", () => {
    const values = byName(sample("a", { hit: 0, missed_a: 0, missed_b: 0, peak: 1 }), 1000);
    expect(values["miss_percent"]).to.equal(undefined);
    expect(values["queue"]).to.equal(undefined);
    expect(byName(sample("a", { hit: 1, missed_a: 1 }), 1)["missed"]).to.equal(undefined);
  });

  it("merges each source by its rule, keeps the newer time and version, and adds the intervals", () => {
    const older = tick(1000, 400, sample("a", { hit: 1, missed_a: 9, missed_b: 1, queue: 5, peak: 9 }));
    const newer = tick(2000, 600, sample("a", { hit: 10, missed_a: 1, missed_b: 1, queue: 3, peak: 4 }));
    const merged = mergeTicks(older, newer);
    expect([merged.timestampMs, merged.version, merged.intervalMs]).to.deep.equal([
      2000,
      newer.version,
      1000,
    ]);
    expect(merged.samples.map((s) => byName(s, merged.intervalMs))).to.deep.equal([
      { hit: 11, missed: 12, queue: 3, peak: 9, miss_percent: 52.174, interval_ms: 1000 },
    ]);
  });

  it("keeps series that only one of the merged ticks has, and values that only one knows", () => {
    const merged = mergeTicks(
      tick(1, 1, sample("a", { hit: 1 }), sample("b", { hit: 2, queue: 8 })),
      tick(2, 1, sample("b", { hit: 3 }), sample("c", { hit: 4 })),
    );
    const seen = merged.samples.map((s) => [s.tags[0], s.values[0], byName(s, 1)["queue"]]);
    expect(seen).to.deep.equal([
      ["a", 1, undefined],
      ["b", 5, 8],
      ["c", 4, undefined],
    ]);
  });

  it("says something only where a sum is not zero", () => {
    expect(saysSomething(sample("a", { hit: 0, queue: 7 }))).to.equal(false);
    expect(saysSomething(sample("a", { hit: 1 }))).to.equal(true);
    expect(saysSomething({ ...sample("a", {}), measure: { ...measure, heartbeat: true } })).to.equal(true);
  });

  it("makes versions that grow with time and sequence and fit 63 bits", () => {
    expect(tickVersion(1001, 0) > tickVersion(1000, 5)).to.equal(true);
    expect(tickVersion(1000, 6) > tickVersion(1000, 5)).to.equal(true);
    expect(tickVersion(Date.UTC(2200, 0), 0xfffff) < 2n ** 63n).to.equal(true);
  });

  it("estimates more bytes for more samples and longer tags", () => {
    const one = tickBytes(tick(1, 1, sample("a", {})));
    expect(tickBytes(tick(1, 1, sample("a", {}), sample("b", {})))).to.be.greaterThan(one);
    expect(tickBytes(tick(1, 1, sample("a".repeat(100), {})))).to.be.greaterThan(one);
  });
});
