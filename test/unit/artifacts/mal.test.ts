import { expect } from "chai";
import { expectedOf, metricsOfRule, type Scrape, storedValue } from "../../artifacts/mal.js";

function scrape(atSec: number, missed: number, hit: number): Scrape {
  const sample = (result: string, node: string, value: number) => ({
    name: "pages_total",
    labels: { result, node },
    value,
  });
  const samples = [sample("missed", "a", missed), sample("missed", "b", missed), sample("hit", "a", hit)];
  return { atSec, samples: [...samples, { name: "share", labels: { node: "a" }, value: hit / 7 }] };
}

const valuesOf = (expression: string) =>
  expectedOf({ name: "x", expression }, scrape(0, 10, 100), scrape(60, 40, 700)).map(({ labels, value }) => [
    labels["node"] ?? labels["result"],
    value,
  ]);

describe("what a MAL rule must give", () => {
  it("is the growth per second, added up over the labels that it drops, wherever sum stands", () => {
    for (const tail of [".rate('PT1M').sum(['result'])", ".sum(['result']).rate('PT1M')"]) {
      expect(valuesOf(`pages_total${tail}`)).to.deep.equal([
        ["missed", 1],
        ["hit", 10],
      ]);
    }
  });

  it("is of the samples that a filter leaves, and scaled", () => {
    expect(valuesOf("pages_total.tagEqual('result','missed').rate('PT1M').sum(['node']) * 60")).to.deep.equal(
      [
        ["a", 30],
        ["b", 30],
      ],
    );
  });

  it("is the quotient of two rates", () => {
    const part = "pages_total.tagEqual('result','missed').rate('PT1M').sum(['cluster'])";
    expect(
      valuesOf(`${part}.safeDiv(pages_total.rate('PT1M').sum(['cluster'])) * 110`)[0]?.[1],
    ).to.be.closeTo(10, 1e-9);
  });

  it("is the newest value of a gauge", () => {
    expect(
      valuesOf("share.max(['node']) * 100.downsampling(LATEST)".replace(".downsampling(LATEST)", "")),
    ).to.deep.equal([["a", 10_000]]);
  });

  it("is not guessed for a rule of another shape", () => {
    expect(() => valuesOf("pages_total.irate()")).to.throw("does not know");
  });

  it("is stored as a whole number, and never as 0 where there is something", () => {
    expect([-1, 0, 0.2, 1.4, 1.6].map(storedValue)).to.deep.equal([0, 0, 1, 1, 2]);
  });

  it("is made of the metrics that the rule names", () => {
    const expression =
      "a_total.rate('PT1M').sum(['x']).safeDiv(b_total.tagEqual('y','z').rate('PT1M').sum(['x']))";
    expect(metricsOfRule({ name: "x", expression })).to.deep.equal(["a_total", "b_total"]);
  });
});
