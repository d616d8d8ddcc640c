import { expect } from "chai";
import { measureNamed } from "../../src/agent-samples.js";
import { bucketsOf } from "../../src/collect-latency.js";
import { readSchema } from "../../src/config/schema-files.js";
import { payOff } from "../../src/model/debt.js";
import { bucketSource } from "../../src/model/histogram.js";
import { makeSample, type Sample } from "../../src/model/tick.js";

const schema = readSchema();
const latency = measureNamed(schema, "read_latency");
const buckets = measureNamed(schema, "read_latency_bucket");

/** Reads by the bounds of their buckets. */
function timed(reads: Readonly<Record<number, number>>): Sample {
  const values = new Map(Object.entries(reads).map(([bound, count]) => [bucketSource(Number(bound)), count]));
  return makeSample(latency, ["hit"], (name) => values.get(name) ?? 0, ["a"]);
}

/** Those with reads, by bound. */
function bucketReads(samples: readonly Sample[]): Record<string, number | undefined> {
  const reads = buckets.sources.findIndex(({ name }) => name === "reads");
  return Object.fromEntries(
    samples
      .filter(({ measure, values }) => measure === buckets && (values[reads] ?? 0) > 0)
      .map(({ tags, values }) => [tags.join(" "), values[reads]]),
  );
}

describe("buckets of read latency", () => {
  it("are those that the row beside them is made of", () => {
    const samples = bucketsOf(schema)([timed({ 4: 7, 1024: 2 })]);
    expect(bucketReads(samples)).to.deep.equal({ "hit 4": 7, "hit 1024": 2 });
    expect(samples[0]).to.deep.equal(timed({ 4: 7, 1024: 2 }));
    expect(samples[1]?.identity).to.deep.equal(["a"]);
  });

  it("have no history where they are switched on later: what was written before is not written as a bucket", () => {
    // The journal knows read_latency alone.
    const taken = { [bucketSource(4)]: 5n, [bucketSource(64)]: 3n };
    const pay = payOff(({ measure }) =>
      measure === latency ? measure.sources.map(({ name }) => taken[name] ?? 0n) : undefined,
    );
    const samples = bucketsOf(schema)(pay([timed({ 4: 7, 64: 3 })]));
    expect(bucketReads(samples)).to.deep.equal({ "hit 4": 2 });
  });

  it("are not there where their measure is not wanted", () => {
    const without = { ...schema, measures: schema.measures.filter((measure) => measure !== buckets) };
    expect(bucketsOf(without)([timed({ 4: 7 })])).to.deep.equal([timed({ 4: 7 })]);
  });
});
