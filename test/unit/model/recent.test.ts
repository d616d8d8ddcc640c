import { expect } from "chai";
import { recentGrowth } from "../../../src/model/recent.js";

describe("recent growth", () => {
  it("counts from the start while there are few intervals", () => {
    const recent = recentGrowth(3, ["lost"]);
    expect(recent.until({ lost: 2 })).to.deep.equal({ lost: 2 });
    recent.record({ lost: 2 });
    expect(recent.until({ lost: 5 })).to.deep.equal({ lost: 5 });
  });

  it("forgets what was lost before the last intervals", () => {
    const recent = recentGrowth(3, ["lost", "other"]);
    recent.record({ lost: 7, other: 1 });
    for (let i = 0; i < 2; i++) recent.record({ lost: 7, other: 1 });
    expect(recent.until({ lost: 7, other: 2 })).to.deep.equal({ lost: 0, other: 1 });
  });
});
