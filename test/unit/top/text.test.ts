import { expect } from "chai";
import { milliseconds, span, sparkline, toText } from "../../../src/top/text.js";

describe("lines of top", () => {
  const line = [span("hit "), span("97.3 %", "good"), span(" of reads")];

  it("have no escape sequence without colours", () => {
    expect(toText(line, 80, false)).to.equal("hit 97.3 % of reads");
  });

  it("colour a part and end the colour with it", () => {
    expect(toText(line, 80, true)).to.equal("hit \u001b[32m97.3 %\u001b[0m of reads");
  });

  it("are cut by what is seen and not by escape sequences", () => {
    expect(toText(line, 7, false)).to.equal("hit 97.");
    expect(toText(line, 7, true)).to.equal("hit \u001b[32m97.\u001b[0m");
  });

  it("let no name of a process or directory steer the terminal", () => {
    expect(toText([span("a\u001b[2Jb\nc")], 80, true)).to.equal("a?[2Jb?c");
  });

  it("draw hit rates as bars, the newest at the right, and nothing where nothing was read", () => {
    expect(sparkline([0, 12.4, 12.5, 50, 99.9, 100], 6)).to.equal("▁▁▂▅██");
    expect(sparkline([100, undefined, 0], 5)).to.equal("  █ ▁");
    expect(sparkline([0, 0, 100], 2)).to.equal("▁█");
  });

  it("tell microseconds as milliseconds, and an absent time as a dash", () => {
    expect([milliseconds(1250), milliseconds(undefined)]).to.deep.equal(["1.3 ms", "-"]);
  });
});
