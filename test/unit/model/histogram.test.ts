import { expect } from "chai";
import { bucketSource, quantileBound } from "../../../src/model/histogram.js";
import { parseMeasure } from "../../../src/model/measure.js";
import { fieldValues, makeSample, mergeTicks, type Tick } from "../../../src/model/tick.js";

const BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128];

describe("quantileBound", () => {
  const cases: readonly [string, readonly number[], number, number | undefined][] = [
    ["the only value", [0, 0, 1], 50, 4],
    ["the lower of two", [1, 1], 50, 1],
    ["the upper of two", [1, 1], 51, 2],
    ["99 of 100", [99, 1], 99, 1],
    ["the largest of 100", [99, 1], 100, 2],
    ["the largest of 101 for p99 (place 100)", [99, 1, 1], 99, 2],
    ["19 of 20, which no rounding moves", [19, 1], 95, 1],
    ["nothing where there are no values", [0, 0, 0], 99, undefined],
    ["nothing where a count is absent", [1, Number.NaN], 50, undefined],
  ];
  for (const [name, counts, percent, bound] of cases) {
    it(`gives ${name}`, () => {
      expect(quantileBound([1, 2, 4], counts, percent)).to.equal(bound);
    });
  }
});

describe("quantiles of merged ticks", () => {
  const PERCENTS = [50, 90, 95, 99, 100];
  const base = { unit: "us", description: "d", type: "int" };
  const measure = parseMeasure("m.json", {
    measure: "m",
    description: "d",
    tags: [],
    histogram: { bounds: BOUNDS },
    fields: [
      { ...base, name: "reads", merge: "sum", source: ["histogram"] },
      ...PERCENTS.map((percent) => ({ ...base, name: `p${percent}`, quantile: percent })),
    ],
  });
  const bucketOf = (value: number) => BOUNDS.find((bound) => value <= bound) ?? 0;
  const tickOf = (values: readonly number[], timestampMs: number): Tick => {
    const inBucket = (bound: number) => values.filter((value) => bucketOf(value) === bound).length;
    const counts = new Map(BOUNDS.map((bound) => [bucketSource(bound), inBucket(bound)]));
    const samples = [makeSample(measure, [], (name) => counts.get(name))];
    return { timestampMs, version: 1n, intervalMs: 1000, samples };
  };
  const fieldsOf = ({ samples, intervalMs }: Tick) =>
    samples.flatMap((sample) => fieldValues(sample, intervalMs));
  /** Of the values themselves, not of buckets. */
  const byRank = (values: readonly number[], percent: number) =>
    values.toSorted((a, b) => a - b)[Math.ceil((percent * values.length) / 100) - 1] ?? 0;

  it("are those of all values together, whatever was merged with what", () => {
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    for (let round = 0; round < 200; round++) {
      const parts = Array.from({ length: 1 + random(5) }, () =>
        Array.from({ length: random(40) }, () => 1 + random(BOUNDS[random(BOUNDS.length)] ?? 1)),
      );
      const ticks = parts.map((values, i) => tickOf(values, i + 1));
      const merged = ticks.reduce(mergeTicks);
      const all = parts.flat();
      const expected =
        all.length === 0 ? PERCENTS.map(() => undefined) : PERCENTS.map((p) => bucketOf(byRank(all, p)));
      expect(fieldsOf(merged)).to.deep.equal([all.length, ...expected]);
    }
  });
});
