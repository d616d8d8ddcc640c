import { expect } from "chai";
import { CAPABILITIES, missingCapabilities } from "../../../src/cli/capabilities.js";
import { checkJson } from "../../../src/cli/check-json.js";
import { problemsOf } from "../../../src/cli/check-problems.js";
import { type CheckReport, checkExitCode } from "../../../src/cli/check-report.js";
import { renderCheck } from "../../../src/cli/check-table.js";
import type { DetachedProbe } from "../../../src/model/status.js";
import { KERNEL } from "../../support/status.js";

const MEASURED = {
  components: [{ catalog: "measure", dbGroup: "sw_minute", path: "/data/measure/data/sw_minute" }],
  memory: { possibleCpus: 2, bytes: 3_100_000, bytesOnLargeMachine: 6_300_000 },
};

const GOOD: CheckReport = {
  host: "6.12.0 x86_64",
  kernel: { state: "measures", status: KERNEL, ...MEASURED },
  missingCapabilities: [],
  banyandb: { state: "reached", address: "127.0.0.1:17912", version: "0.10", schema: "equal", lines: [] },
  target: "name banyand",
  volume: {
    rowsPerDay: 17280,
    bytesPerDay: 3_900_000,
    outage: { fullResolutionMs: 90 * 60_000, withoutLossMs: 7 * 86_400_000, widestRowMs: 1_280_000 },
  },
};

const UNREACHABLE = {
  state: "unreachable",
  address: "127.0.0.1:9",
  code: "UNAVAILABLE",
  message: "UNAVAILABLE (refused)",
} as const;
const FORBIDDEN = {
  state: "fails",
  message: "load failed: EPERM",
  permission: true,
  hint: undefined,
} as const;

describe("the table of `check`", () => {
  it("shows host, tier, probes, capabilities, target, BanyanDB, volume and verdict", () => {
    const lines = renderCheck(GOOD, false)
      .split("\n")
      .map((line) => line.replace(/ {2,}/g, "  ").trimStart());
    expect(lines).to.include.members([
      "kernel  6.12.0 x86_64",
      "tier  tracing",
      "on_add  tp_btf/mm_filemap_add_to_page_cache, attached",
      "capabilities  all there",
      "target  name banyand: 1 process(es)",
      "pid 42  banyand, node_id host:17912",
      "banyandb  127.0.0.1:17912, API version 0.10, schema ready",
      "components  1 data directories",
      "measure  group sw_minute: /data/measure/data/sw_minute",
      "memory  3100000 bytes (3.1 MB) of kernel memory at 2 possible CPUs, 6.3 MB at 64",
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
            probes: [
              ...KERNEL.probes,
              { name: "p", hook: "h", attached: false, cause: "absent", reason: "ENOENT" },
            ],
          },
          ...MEASURED,
        },
      },
      0,
      /^ {2}p +h, not attached: ENOENT$/m,
    ],
    [
      "waits for a target that does not run",
      { kernel: { state: "measures", status: { ...KERNEL, targets: [] }, ...MEASURED } },
      0,
      /^target +name banyand: no process runs; `run` waits for one$/m,
    ],
    [
      "names what permission is missing, with exit code 77",
      { kernel: FORBIDDEN, missingCapabilities: CAPABILITIES.slice(0, 2) },
      77,
      /^verdict +nothing can be measured: permission is missing$/m,
    ],
    [
      "keeps 77 where BanyanDB cannot be reached either",
      { kernel: FORBIDDEN, banyandb: UNREACHABLE },
      77,
      /^banyandb +127\.0\.0\.1:9 unreachable: UNAVAILABLE \(refused\)$/m,
    ],
    [
      "fails where the kernel offers nothing",
      { kernel: { state: "fails", message: "no BTF", permission: false, hint: undefined } },
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
      expect(renderCheck(report, false)).to.match(says);
      expect(checkExitCode(report)).to.equal(exitCode);
    });
  }
});

describe("the JSON of `check`", () => {
  it("has every part of the table", () => {
    expect(Object.keys(checkJson(GOOD))).to.include.members([
      ...["host", "tier", "probes", "capabilities", "target", "banyandb", "schema"],
      ...["kernel_memory", "pins", "volume", "outage", "problems", "verdict", "exit_code"],
    ]);
    expect(checkJson(GOOD)).to.deep.include({ schema: { state: "equal", lines: [] } });
  });

  it("has no schema where BanyanDB could not be asked", () => {
    expect(checkJson({ ...GOOD, banyandb: UNREACHABLE })).to.deep.include({ schema: undefined });
  });
});

describe("the problems that `check` finds", () => {
  const KERNEL_OF = (status: Partial<typeof KERNEL>, components = MEASURED.components) =>
    ({ state: "measures", status: { ...KERNEL, ...status }, ...MEASURED, components }) as const;
  const unattached = (reason: string, rest: Partial<DetachedProbe> = {}) =>
    KERNEL_OF({
      probes: [
        ...KERNEL.probes,
        { name: "p", hook: "h", attached: false, cause: "refused", reason, ...rest },
      ],
    });
  const unreachable = (code: string) => ({ banyandb: { ...UNREACHABLE, code } });
  const broken = (message: string, hint?: string) => ({
    kernel: { state: "fails", message, permission: false, hint } as const,
  });

  it("are none where all is well", () => {
    expect(problemsOf(GOOD)).to.deep.equal([]);
  });

  it("are not the probes that are left out on purpose", () => {
    for (const cause of ["not_asked", "paused"] as const) {
      const kernel = unattached("r", { cause, optional: true });
      expect(problemsOf({ ...GOOD, kernel }), cause).to.deep.equal([]);
    }
    expect(problemsOf({ ...GOOD, kernel: unattached("r", { optional: true }) })).to.have.length(1);
  });

  const cases: readonly [string, Partial<CheckReport>, "fatal" | "partial", RegExp][] = [
    [
      "no permission",
      { kernel: FORBIDDEN, missingCapabilities: CAPABILITIES.slice(0, 2) },
      "fatal",
      /CAP_BPF, CAP_PERFMON/,
    ],
    ["a seccomp profile that refuses", { kernel: FORBIDDEN }, "fatal", /seccomp.*Unconfined/],
    [
      "a missing library",
      broken("libbpf.so.1: cannot open", "apt-get install libbpf1"),
      "fatal",
      /^apt-get install libbpf1$/,
    ],
    ["no BTF", broken("the kernel has no BTF"), "fatal", /CONFIG_DEBUG_INFO_BTF/],
    ["no tier", broken("no program can be attached"), "fatal", /kernel\.tier=procfs/],
    [
      "a probe that this kernel forbids",
      { kernel: unattached("attach failed: EPERM [libbpf: prog 'p': failed] or so") },
      "partial",
      /none on this kernel/,
    ],
    [
      "a probe that an old libbpf may not attach",
      { kernel: unattached("attach failed: EPERM [libbpf: failed to iterate BTF objects: -1]") },
      "partial",
      /CAP_SYS_ADMIN/,
    ],
    [
      "a probe that syscall tracepoints could replace",
      { kernel: unattached("no trampolines: EPERM; kernel.syscall_programs: true takes them") },
      "partial",
      /^kernel\.syscall_programs: true takes them$/,
    ],
    [
      "a probe without tracefs",
      { kernel: unattached("no /sys/kernel/tracing/events/x") },
      "partial",
      /^mount -t tracefs/,
    ],
    ["a probe that this kernel lacks", { kernel: unattached("ENOENT") }, "partial", /absent, never 0/],
    ["a tier without reads", { kernel: KERNEL_OF({ tier: "partial" }) }, "partial", /6\.12/],
    ["a missing capability", { missingCapabilities: CAPABILITIES.slice(2, 3) }, "partial", /OPERATIONS/],
    ["no target", { kernel: KERNEL_OF({ targets: [] }) }, "partial", /target\.name/],
    ["no data directory", { kernel: KERNEL_OF({}, []) }, "partial", /CAP_SYS_PTRACE/],
    ["a server that does not answer", unreachable("UNAVAILABLE"), "fatal", /banyandb\.endpoints/],
    ["a wrong password", unreachable("UNAUTHENTICATED"), "fatal", /banyandb\.password_file/],
    ["another server", unreachable("UNIMPLEMENTED"), "fatal", /no BanyanDB/],
    [
      "a schema in conflict",
      {
        banyandb: { state: "reached", address: "a", version: "0.9", schema: "conflict", lines: ["x"] },
      },
      "fatal",
      /banyandb\.group/,
    ],
  ];
  for (const [title, change, severity, cure] of cases) {
    it(`have a cure for ${title}, in the table and in JSON`, () => {
      const report = { ...GOOD, ...change };
      const [problem, ...others] = problemsOf(report);
      expect(others).to.deep.equal([]);
      expect(problem?.severity).to.equal(severity);
      expect(problem?.cure).to.match(cure);
      expect(renderCheck(report, false)).to.contain(problem?.cure);
      expect(checkJson(report)).to.deep.include({
        problems: [problem],
        exit_code: checkExitCode(report),
      });
      if (severity === "partial") expect(checkExitCode(report)).to.equal(0);
      else expect(checkExitCode(report)).not.to.equal(0);
    });
  }

  it("say what permission is missing where a probe was refused for want of it", () => {
    const report = {
      ...GOOD,
      kernel: unattached("attach failed: EPERM; kernel.syscall_programs: true takes them"),
      missingCapabilities: CAPABILITIES.slice(1, 2),
    };
    expect(problemsOf(report)[0]?.cure).to.match(/CAP_BPF and CAP_PERFMON/);
  });

  it("leave the log of libbpf to JSON", () => {
    const report = { ...GOOD, kernel: unattached("attach failed: EPERM [libbpf: prog 'p': failed] or so") };
    expect(renderCheck(report, false)).to.match(/not attached: attach failed: EPERM or so$/m);
    expect(JSON.stringify(checkJson(report))).to.contain("[libbpf: prog 'p': failed]");
  });

  it("are coloured only when told", () => {
    expect(renderCheck(GOOD, true)).to.contain("\u001b[32m");
    expect(renderCheck(GOOD, false)).not.to.contain("\u001b");
  });
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
