import { execFileSync } from "node:child_process";
import { expect } from "chai";
import { packageRoot } from "../support/package-root.js";
import { makeFile, startReader } from "../support/reader.js";
import { runSidecar, startSidecar } from "../support/sidecar.js";

const NO_SUCH_TARGET = ["--set", "target.name=no-such-program"];

interface Interval {
  readonly interval_ms: number;
  readonly tier: string;
  readonly targets: readonly { readonly pid: number }[];
  readonly measures: Readonly<
    Record<string, readonly { readonly fields: Readonly<Record<string, number>> }[]>
  >;
}

describe("top", function () {
  this.timeout(30_000);

  it("prints, once, what the target read in one interval by its own count", async () => {
    const file = makeFile(16 << 20);
    const reader = await startReader(file.path, { pattern: "unaligned", bytes: 100_000, ops: 100 });
    const top = startSidecar(["top", "--once", "--json", "--set", `target.pid=${reader.pid}`]);
    await top.seen(/target process found/);
    const truth = await reader.run();
    const { code, stdout } = await top.ended;
    await reader.end();
    file.remove();
    expect(code).to.equal(0);
    expect(stdout.trimEnd().split("\n")).to.have.length(1);
    const interval = JSON.parse(stdout) as Interval;
    expect(interval.interval_ms).to.be.within(900, 2000);
    expect(interval.targets.map(({ pid }) => pid)).to.deep.equal([reader.pid]);
    for (const measure of ["page_cache", "page_cache_component"]) {
      const fields = interval.measures[measure]?.[0]?.fields;
      const counted = {
        reads: fields?.["reads"],
        pages_requested: fields?.["pages_requested"],
        pages_missed: fields?.["pages_missed"],
        read_bytes: fields?.["read_bytes"],
      };
      const { reads, pages_requested, pages_missed, read_bytes } = truth;
      expect(counted, measure).to.deep.equal({ reads, pages_requested, pages_missed, read_bytes });
    }
  });

  it("prints a line for each interval where there is no terminal, and ends on SIGINT", async () => {
    const top = startSidecar(["top", ...NO_SUCH_TARGET]);
    await top.seen(/^\d\d:\d\d:\d\d hit_percent=- .*\n\d\d:\d\d:\d\d /m);
    top.signal("SIGINT");
    const { code, stdout } = await top.ended;
    expect(code).to.equal(0);
    expect(stdout).to.not.contain("\u001b");
  });

  it("exits with 77 where it may not load BPF programs", async () => {
    const { code } = await runSidecar(["top", "--once", ...NO_SUCH_TARGET], { unprivileged: true });
    expect(code).to.equal(77);
  });

  /** What a terminal gets that q is typed on after two intervals; util-linux' `script` makes the terminal. */
  function onTerminal(environment: Readonly<Record<string, string>>): string {
    const top = `${process.execPath} ${packageRoot}/dist/src/main.js top ${NO_SUCH_TARGET.join(" ")}`;
    const script = `script --quiet --return --echo never --command '${top}' /dev/null`;
    return execFileSync("sh", ["-c", `(sleep 4; printf q; sleep 2) | ${script}`], {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], TERM: "xterm", ...environment },
    });
  }

  it("takes the terminal, and gives it back on q", () => {
    const shown = onTerminal({});
    const waiting = "loading the programs into the kernel ...\r\u001b[K";
    expect(shown.startsWith(`${waiting}\u001b[?1049h\u001b[?25l`)).to.equal(true);
    expect(shown.endsWith("\u001b[?25h\u001b[?1049l")).to.equal(true);
    expect(shown).to.contain("no target process runs");
    expect(shown).to.contain("\u001b[1mhit rate");
  });

  it("has no colours where NO_COLOR is set", () => {
    const shown = onTerminal({ NO_COLOR: "1" });
    expect(shown).to.contain("hit rate");
    expect(shown).to.not.contain("\u001b[1m");
    expect(shown).to.not.contain("\u001b[0m");
  });
});
