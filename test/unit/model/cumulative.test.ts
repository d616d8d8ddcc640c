import { expect } from "chai";
import { trackCumulative } from "../../../src/model/cumulative.js";

describe("cumulative numbers", () => {
  it("give what each grew by since the last time", () => {
    const grown = trackCumulative({ a: 10n, b: 2n ** 60n });
    expect(grown({ a: 12n, b: 2n ** 60n + 5n })).to.deep.equal({ a: 2, b: 5 });
    expect(grown({ a: 12n, b: 2n ** 60n + 6n })).to.deep.equal({ a: 0, b: 1 });
  });

  it("are absent while they cannot be had, and begin where they appear", () => {
    const grown = trackCumulative({ a: undefined });
    expect(grown({ a: undefined })).to.deep.equal({ a: undefined });
    expect(grown({ a: 100n })).to.deep.equal({ a: 0 });
    expect(grown({ a: 103n })).to.deep.equal({ a: 3 });
  });

  it("count from zero where their source began anew", () => {
    const grown = trackCumulative({ a: 100n });
    expect(grown({ a: 4n })).to.deep.equal({ a: 4 });
  });
});
