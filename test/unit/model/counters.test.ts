import { expect } from "chai";
import { trackCounts, type ComponentCounts, type CountTracker } from "../../../src/model/counters.js";

const NAMES = ["reads", "reads_missed", "pages_requested", "pages_missed"];

function tracker(components = 1, baseline = new BigUint64Array(NAMES.length * components)): CountTracker {
  return trackCounts({ names: NAMES, components }, baseline);
}

function named(names: readonly string[], { counts }: ComponentCounts): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, counts[i] ?? Number.NaN]));
}

describe("count tracker", () => {
  it("gives what was added since the previous reading", () => {
    const counts = tracker();
    counts.advance(BigUint64Array.of(5n, 1n, 50n, 10n));
    const [second, ...rest] = counts.advance(BigUint64Array.of(8n, 1n, 70n, 10n));
    expect(rest).to.deep.equal([]);
    expect(second && named(counts.names, second)).to.deep.equal({
      reads: 3,
      reads_missed: 0,
      pages_requested: 20,
      pages_missed: 0,
      reads_hit: 3,
      pages_hit: 20,
    });
  });

  it("begins at the baseline", () => {
    const counts = tracker(1, BigUint64Array.of(100n, 40n, 1000n, 400n));
    const [first] = counts.advance(BigUint64Array.of(101n, 41n, 1008n, 408n));
    expect(first && named(counts.names, first)).to.deep.equal({
      reads: 1,
      reads_missed: 1,
      pages_requested: 8,
      pages_missed: 8,
      reads_hit: 0,
      pages_hit: 0,
    });
  });

  it("never gives negative hits where a reading falls between the miss and the end of the read", () => {
    const counts = tracker();
    const hits = [
      BigUint64Array.of(1n, 0n, 10n, 0n),
      BigUint64Array.of(1n, 1n, 10n, 8n),
      BigUint64Array.of(2n, 1n, 18n, 8n),
      BigUint64Array.of(3n, 1n, 20n, 8n),
    ].map((reading) => counts.advance(reading).map((c) => named(counts.names, c)["pages_hit"]));
    expect(hits).to.deep.equal([[10], [0], [0], [2]]);
    expect(hits.flat().reduce((sum = 0, n) => sum + (n ?? 0), 0)).to.equal(20 - 8);
  });

  it("leaves out components where nothing was added", () => {
    const counts = tracker(3);
    const reading = new BigUint64Array(12);
    reading[4] = 7n;
    expect(counts.advance(reading).map(({ component }) => component)).to.deep.equal([1]);
    expect(counts.advance(reading)).to.deep.equal([]);
  });

  it("keeps differences of counters beyond 2^53 exact", () => {
    const counts = tracker(1, BigUint64Array.of(2n ** 60n, 0n, 0n, 0n));
    const [first] = counts.advance(BigUint64Array.of(2n ** 60n + 1n, 0n, 0n, 0n));
    expect(first?.counts[0]).to.equal(1);
  });

  it("refuses a layout without the counters that hits are made of", () => {
    expect(() => trackCounts({ names: ["reads"], components: 1 }, BigUint64Array.of(0n))).to.throw(
      "the kernel layout has no counter reads_missed",
    );
  });

  it("counts nothing where there is no component, as without any program", () => {
    const counts = trackCounts({ names: [], components: 0 }, new BigUint64Array());
    expect(counts.advance(new BigUint64Array())).to.deep.equal([]);
  });
});
