import { expect } from "chai";
import { payOff } from "../../../src/model/debt.js";
import { makeSample, type Sample } from "../../../src/model/tick.js";
import { CACHE, PART } from "../../support/ticks.js";

const cache = (hit: number | undefined, missed = 0): Sample =>
  makeSample(CACHE, [], (source) => ({ pages_hit: hit, pages_missed: missed })[source]);

function valueOf(sample: Sample | undefined, source: string): number | undefined {
  return sample?.values[sample.measure.sources.findIndex(({ name }) => name === source)];
}

/** Of CACHE, in the order of its sources. */
function debt(values: Readonly<Record<string, bigint>>): bigint[] {
  return CACHE.sources.map(({ name }) => values[name] ?? 0n);
}

describe("a debt of counts", () => {
  it("is paid by the first counts, and what is beyond it is counted", () => {
    const pay = payOff(({ measure }) => (measure === CACHE ? debt({ pages_hit: 100n }) : undefined));
    const hits = [cache(130, 7), cache(5)].flatMap((sample) => pay([sample]));
    expect(hits.map((sample) => valueOf(sample, "pages_hit"))).to.deep.equal([30, 5]);
    expect(valueOf(hits[0], "pages_missed")).to.equal(7);
  });

  it("stays as far as it was not paid, though counts for a moment are less than they were", () => {
    const pay = payOff(() => debt({ pages_hit: 100n }));
    const hits = [60, 30, 30, 1].map((hit) => valueOf(pay([cache(hit)])[0], "pages_hit"));
    expect(hits).to.deep.equal([0, 0, 20, 1]);
  });

  it("that is negative is counted on top: another life has left it", () => {
    const pay = payOff(() => debt({ pages_hit: -100n }));
    const hits = [5, 5].map((hit) => valueOf(pay([cache(hit)])[0], "pages_hit"));
    expect(hits).to.deep.equal([105, 5]);
  });

  it("waits for a count that is absent", () => {
    const pay = payOff(() => debt({ pages_hit: 10n }));
    const hits = [undefined, 15].map((hit) => valueOf(pay([cache(hit)])[0], "pages_hit"));
    expect(hits).to.deep.equal([Number.NaN, 5]);
  });

  it("is one for each series, beyond 2^53 too", () => {
    const owed = new Map([
      ["a", 2n ** 60n],
      ["b", 1n],
    ]);
    const pay = payOff(({ measure, tags }) =>
      measure === PART
        ? measure.sources.map(({ name }) => (name === "reads" ? (owed.get(tags[0] ?? "") ?? 0n) : 0n))
        : undefined,
    );
    const part = (tag: string, reads: number): Sample =>
      makeSample(PART, [tag], (source) => (source === "reads" ? reads : undefined));
    const paid = pay([part("a", 2 ** 60), part("b", 3), part("c", 3)]);
    expect(paid.map((sample) => valueOf(sample, "reads"))).to.deep.equal([0, 2, 3]);
  });
});
