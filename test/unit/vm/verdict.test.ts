import { expect } from "chai";
import type { Outcome } from "../../vm/boot.js";
import type { Boot } from "../../vm/kernels.js";
import { formatTable, hasPassed, rowsOf, rowsWithout, total, type Row } from "../../vm/verdict.js";

const RAN = [
  "@@preemption lazy",
  "@@begin auto",
  "  ✓ reads: 2 passed",
  "",
  '@@end auto 0 {"passed":2,"failed":0}',
  "@@off 61.2",
  "",
].join("\n");

const KERNEL = { series: "7.3", version: "7.3.4-cloud" };
const BOOT: Boot = { preemption: "default", tiers: ["auto"] };

/** The row of a boot with one tier. */
function row(serial: string, boot: Boot = BOOT, rest: Partial<Outcome> = {}): Row | undefined {
  return rowsOf(KERNEL, boot, {
    serial,
    console: "the console",
    problem: undefined,
    ...rest,
  })[0];
}

describe("verdict on a boot", () => {
  it("is good when all tests passed and the guest went off", () => {
    const good = row(RAN);
    expect(good).to.include({
      preemption: "lazy",
      tier: "auto",
      passed: 2,
      failed: 0,
      problem: undefined,
    });
    expect(good?.log).to.equal("✓ reads: 2 passed");
    expect(good && hasPassed(good)).to.equal(true);
  });

  it("keeps the results of each tier apart", () => {
    const both = RAN.replace("@@off", '@@begin none\nrefused\n@@end none 1 {"passed":0,"failed":1}\n@@off');
    const boot: Boot = { preemption: "default", tiers: ["none", "auto"] };
    const rows = rowsOf(KERNEL, boot, { serial: both, console: "", problem: undefined });
    expect(rows.map(({ tier, passed, failed }) => [tier, passed, failed])).to.deep.equal([
      ["none", 0, 1],
      ["auto", 2, 0],
    ]);
    expect(rows.map(hasPassed)).to.deep.equal([false, true]);
  });

  const troubles: readonly [string, Row | undefined, string][] = [
    ["a guest that never began", row(""), "it crashed"],
    ["a guest that went down in the middle", row(RAN.slice(0, RAN.indexOf("@@end"))), "it crashed"],
    ["a guest that was ended", row(RAN, BOOT, { problem: "it was still running" }), "it was still running"],
    [
      "another preemption than wanted",
      row(RAN, { ...BOOT, preemption: "full" }),
      "it runs with preempt=lazy",
    ],
    [
      "tests that wrote no results",
      row(RAN.replace(/^@@end.*$/m, "@@end auto 7 ")),
      "mocha ended with 7 and without results",
    ],
    [
      "tests that passed, then failed to end",
      row(RAN.replace("@@end auto 0", "@@end auto 137")),
      "mocha ended with 137",
    ],
    ["a tier that was not run", row("@@off 3.0\n"), "the tests did not begin"],
  ];
  for (const [name, bad, problem] of troubles) {
    it(`is bad for ${name}`, () => {
      expect(bad?.problem).to.equal(problem);
      expect(bad && hasPassed(bad)).to.equal(false);
    });
  }

  it("shows the console of a guest that crashed, after what its tests printed", () => {
    const crashed = row(RAN.slice(0, RAN.indexOf("@@end")));
    expect(crashed?.log).to.match(/^✓ reads: 2 passed\s+console:\nthe console$/);
  });

  it("is bad where the kernel could not be had, for each of its tiers", () => {
    const boot: Boot = { preemption: "default", tiers: ["none", "auto"] };
    const rows = rowsWithout(KERNEL, boot, "no answer\nand more");
    expect(rows.map(({ tier, problem, log }) => [tier, problem, log])).to.deep.equal([
      ["none", "no answer", "no answer\nand more"],
      ["auto", "no answer", "no answer\nand more"],
    ]);
    expect(rows.some(hasPassed)).to.equal(false);
  });

  it("is bad where not a single test ran", () => {
    const empty = row(RAN.replace('"passed":2', '"passed":0'));
    expect(empty && hasPassed(empty)).to.equal(false);
  });
});

describe("sum of the matrix", () => {
  const good = row(RAN) as Row;

  it("counts tests, and as one failure each thing that kept tests from running", () => {
    const rows = [good, { ...good, passed: 5, failed: 3 }, { ...good, passed: 0, problem: "it crashed" }];
    expect(total(rows, 1)).to.deep.equal({ passed: 7, failed: 4, problems: ["7.3.4-cloud: it crashed"] });
  });

  it("fails with fewer kernels than wanted, however many boots", () => {
    expect(total([good, good], 2).problems).to.deep.equal(["kernels that ran: 1, but wanted: 2"]);
    expect(total([good, { ...good, series: "6.12" }], 2).failed).to.equal(0);
  });

  it("fails for a kernel that did not run a test", () => {
    expect(total([{ ...good, passed: 0 }], 1).failed).to.equal(1);
  });

  it("is shown with a line for each series that is not to be had", () => {
    const lines = formatTable([good, { ...good, failed: 1 }], ["6.19"]).split("\n");
    expect(lines.map((line) => line.split(/\s{2,}/).at(-1))).to.deep.equal([
      "verdict",
      "NOT TO BE HAD",
      "ok",
      "FAILED",
    ]);
  });
});
