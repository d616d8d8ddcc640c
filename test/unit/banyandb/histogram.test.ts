import { expect } from "chai";
import { createHistogram } from "../../../src/banyandb/histogram.js";

describe("histogram", () => {
  it("counts each value once, a bound into its own bucket and what is above all into the last", () => {
    const histogram = createHistogram([1, 10]);
    for (const value of [0.5, 1, 1.5, 10, 11]) histogram.observe(value);
    expect(histogram.read()).to.deep.equal({ bounds: [1, 10], counts: [2, 2, 1], sum: 24 });
  });
});
