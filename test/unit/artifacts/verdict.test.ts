import { expect } from "chai";
import {
  answersOf,
  countsOf,
  judged,
  notRun,
  type Outcome,
  passed,
  table,
  type Verdict,
} from "../../artifacts/verdict.js";

function outcome(artefact: string, verdict: Verdict): Outcome {
  return { artefact, checker: "tool", verdict, seconds: 1.25 };
}

const OUTCOMES = [
  outcome("a.yaml", passed("fine")),
  outcome("longer.yaml", judged(["line 3 is bad", "line 4 too"], "fine")),
  outcome("c", notRun("go is not installed")),
];

describe("the table of checked artefacts", () => {
  it("has a line for each, and the problems of those that failed below", () => {
    expect(table(OUTCOMES).split("\n")).to.deep.equal([
      "artefact     checker  verdict  time   what it says",
      "a.yaml       tool     passed   1.3 s  fine",
      "longer.yaml  tool     FAILED   1.3 s  2 problems, see below",
      "c            tool     NOT RUN  1.3 s  go is not installed",
      "",
      "longer.yaml, tool:",
      "  line 3 is bad",
      "  line 4 too",
    ]);
  });

  it("has the answers of those that passed apart, to be looked at", () => {
    const answered = outcome("page.json", judged([], "fine", ['"Reads": 5']));
    expect(answersOf([...OUTCOMES, answered]).split("\n")).to.deep.equal([
      "",
      "page.json, tool:",
      '  "Reads": 5',
    ]);
  });

  it("counts what was not run neither as passed nor as failed", () => {
    expect(countsOf(OUTCOMES)).to.deep.equal({ passed: 1, failed: 1, notRun: 1 });
  });

  it("takes an artefact without a problem for passed", () => {
    expect(judged([], "fine")).to.deep.equal(passed("fine"));
  });
});
