import { expect } from "chai";
import { CAPABILITIES, missingCapabilities } from "../../../src/cli/capabilities.js";
import { type CheckReport, checkExitCode, renderCheck } from "../../../src/cli/check-report.js";
import { KERNEL } from "../../support/status.js";

const GOOD: CheckReport = {
  host: "6.12.0 x86_64",
  kernel: { state: "measures", status: KERNEL },
  missingCapabilities: [],
  banyandb: { state: "reached", address: "127.0.0.1:17912", version: "0.10", schema: "equal", lines: [] },
  target: "name banyand",
  volume: {
    rowsPerDay: 17280,
    bytesPerDay: 3_900_000,
    outage: { fullResolutionMs: 90 * 60_000, withoutLossMs: 7 * 86_400_000, widestRowMs: 1_280_000 },
  },
};

const UNREACHABLE = { state: "unreachable", address: "127.0.0.1:9", message: "UNAVAILABLE" } as const;
const FORBIDDEN = { state: "fails", message: "load failed: EPERM", permission: true } as const;

describe("the table of `check`", () => {
  it("shows host, tier, probes, capabilities, target, BanyanDB, volume and verdict", () => {
    const lines = renderCheck(GOOD)
      .split("\n")
      .map((line) => line.replace(/ {2,}/g, "  ").trimStart());
    expect(lines).to.include.members([
      "kernel  6.12.0 x86_64",
      "tier  tracing",
      "on_add  tp_btf/mm_filemap_add_to_page_cache, attached",
      "capabilities  all there",
      "target  name banyand: 1 process(es)",
      "pid 42  banyand",
      "banyandb  127.0.0.1:17912, API version 0.10, schema ready",
      "volume  at most 17280 rows and 3.9 MB a day on the wire",
      "outage  an outage of 1.5 h costs nothing; up to 7 d it costs resolution (rows of at most 21.3 min), " +
        "no count; what is older is dropped",
      "verdict  `run` will measure and deliver",
    ]);
    expect(checkExitCode(GOOD)).to.equal(0);
  });

  const cases: readonly [string, Partial<CheckReport>, number, RegExp][] = [
    [
      "says why a probe is not attached",
      {
        kernel: {
          state: "measures",
          status: {
            ...KERNEL,
            probes: [...KERNEL.probes, { name: "p", hook: "h", attached: false, reason: "ENOENT" }],
          },
        },
      },
      0,
      /^ {2}p +h, not attached: ENOENT$/m,
    ],
    [
      "waits for a target that does not run",
      { kernel: { state: "measures", status: { ...KERNEL, targets: [] } } },
      0,
      /^target +name banyand: no process runs; `run` waits for one$/m,
    ],
    [
      "names what permission is missing, with exit code 77",
      { kernel: FORBIDDEN, missingCapabilities: CAPABILITIES.slice(0, 2) },
      77,
      /^verdict +nothing can be measured: permission is missing; run as root, or give CAP_BPF, CAP_PERFMON$/m,
    ],
    [
      "keeps 77 where BanyanDB cannot be reached either",
      { kernel: FORBIDDEN, banyandb: UNREACHABLE },
      77,
      /^banyandb +127\.0\.0\.1:9 unreachable: UNAVAILABLE$/m,
    ],
    [
      "fails where the kernel offers nothing",
      { kernel: { state: "fails", message: "no BTF", permission: false } },
      1,
      /^tier +none: no BTF$/m,
    ],
    [
      "fails where BanyanDB cannot be reached",
      { banyandb: UNREACHABLE },
      1,
      /^verdict .*once BanyanDB can be reached$/m,
    ],
    [
      "fails where the schema conflicts, and shows how",
      {
        banyandb: {
          state: "reached",
          address: "a:1",
          version: undefined,
          schema: "conflict",
          lines: ["field reads is STRING"],
        },
      },
      1,
      /schema in conflict[^]*field reads is STRING[^]*but cannot deliver$/m,
    ],
    [
      "is content with a schema that `run` will create",
      { banyandb: { state: "reached", address: "a:1", version: "0.9", schema: "missing", lines: [] } },
      0,
      /schema missing, `run` or `schema apply` creates it/,
    ],
  ];
  for (const [title, change, exitCode, says] of cases) {
    it(title, () => {
      const report = { ...GOOD, ...change };
      expect(renderCheck(report)).to.match(says);
      expect(checkExitCode(report)).to.equal(exitCode);
    });
  }
});

describe("the capabilities of a process", () => {
  const missing = (bits: string) =>
    missingCapabilities(`Name:\tx\nCapEff:\t${bits}\n`).map(({ name }) => name);

  it("are all missing of an ordinary user", () => {
    expect(missing("0000000000000000")).to.deep.equal(CAPABILITIES.map(({ name }) => name));
  });

  it("are none missing of root", () => {
    expect(missing("000001ffffffffff")).to.deep.equal([]);
  });

  it("are read bit by bit", () => {
    expect(missing("0000008000000000")).to.deep.equal([
      "CAP_PERFMON",
      "CAP_SYS_PTRACE",
      "CAP_DAC_READ_SEARCH",
    ]);
    expect(missing("0000004000080004")).to.deep.equal(["CAP_BPF"]);
  });

  it("count those of BPF as present with CAP_SYS_ADMIN", () => {
    expect(missing("0000000000200000")).to.deep.equal(["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]);
  });
});
