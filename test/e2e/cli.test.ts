import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { COMMANDS } from "../../src/cli/cli.js";
import { EXIT } from "../../src/cli/exit-code.js";
import { packageVersion } from "../../src/config/schema-files.js";
import { runSidecar } from "../support/sidecar.js";

const COMMAND_NAMES = Object.keys(COMMANDS);

describe("the command line", function () {
  this.timeout(20_000);

  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sidecar-cli-"));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  function file(text: string): string {
    const path = join(folder, "sidecar.yaml");
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  it("shows its version and its help", async () => {
    expect(await runSidecar(["--version"])).to.deep.equal({
      code: 0,
      stdout: `${packageVersion()}\n`,
      stderr: "",
    });
    const { code, stdout } = await runSidecar(["--help"]);
    expect(code).to.equal(0);
    for (const name of COMMAND_NAMES) {
      expect(stdout).to.match(new RegExp(`^  ${name} `, "m"));
    }
  });

  for (const name of COMMAND_NAMES) {
    it(`shows the help of ${name} with all keys of the configuration and the exit codes`, async () => {
      const { code, stdout, stderr } = await runSidecar([name, "--help"]);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: "" });
      expect(stdout).to.contain(`Usage: banyandb-ebpf-sidecar ${name} `);
      expect(stdout).to.match(/^ {2}queue\.max_bytes /m);
      for (const exitCode of Object.values(EXIT))
        expect(stdout).to.match(new RegExp(`^  ${exitCode} +\\w`, "m"));
    });
  }

  const nonsense: readonly [readonly string[], RegExp][] = [
    [[], /no command is given/],
    [["fly"], /unknown command fly/],
    [["--fly"], /unknown flag --fly/],
    [["run", "--fly"], /unknown flag --fly/],
    [["run", "now"], /run does not take "now"/],
    [["run", "--dry-run=yes"], /--dry-run takes no value/],
    [["run", "--set", "interval"], /--set interval is not KEY=VALUE/],
    [["run", "--interval"], /--interval needs a value/],
    [["run", "--interval", "--dry-run"], /--interval needs a value/],
    [["schema"], /schema needs one of show, diff, apply/],
    [["schema", "drop"], /schema drop is unknown/],
    [["demo", "--duration", "20"], /--duration must be a duration/],
  ];
  for (const [args, message] of nonsense) {
    it(`refuses \`${args.join(" ")}\` with exit code 64`, async () => {
      const { code, stdout, stderr } = await runSidecar(args);
      expect({ code, stdout }).to.deep.equal({ code: 64, stdout: "" });
      expect(stderr).to.match(message);
    });
  }

  for (const name of ["run", "check", "print-config", "demo"]) {
    it(`I15: lists all errors of file, environment and flags in \`${name}\`, exits 78 and starts nothing`, async () => {
      const path = file("interval: 5ms\nnode:\n  name: x\n");
      const { code, stdout, stderr } = await runSidecar(
        [name, "--config", path, "--log-level", "loud", "--set", "banyandb.grup=x"],
        { environment: { BANYANDB_EBPF_QUEUE_MAX_BYTES: "1", BANYANDB_EBPF_NODEID: "x" } },
      );
      expect({ code, stdout }).to.deep.equal({ code: 78, stdout: "" });
      expect(stderr).to.contain("6 problem(s)");
      for (const line of [
        `interval: "5ms" is not allowed: must be a duration from 10ms to 60s with its unit (ms, s, m or h) (file ${path}:1)`,
        `node.name: unknown key; known here: id, cluster, role, type (file ${path}:3)`,
        "no option has this variable (environment BANYANDB_EBPF_NODEID)",
        "(environment BANYANDB_EBPF_QUEUE_MAX_BYTES)",
        'log.level: "loud" is not allowed: must be one of error, warn, info, debug (flag --log-level)',
        "(flag --set banyandb.grup)",
      ]) {
        expect(stderr).to.contain(line);
      }
    });
  }

  it("names a file that is not there, cannot be read, or is no YAML", async () => {
    const missing = await runSidecar(["print-config", "--config", join(folder, "none.yaml")]);
    expect(missing.code).to.equal(78);
    expect(missing.stderr).to.contain("cannot be read: ENOENT");
    const directory = await runSidecar(["print-config", "--config", folder]);
    expect(directory.code).to.equal(78);
    expect(directory.stderr).to.contain("cannot be read: EISDIR");
    const broken = await runSidecar(["print-config", "--config", file("node: [\n")]);
    expect(broken.code).to.equal(78);
    expect(broken.stderr).to.contain("not valid YAML");
  });

  it("I15: prints the configuration with its sources and without the secret", async () => {
    const path = file("banyandb: { username: me, password: hunter2 }\n");
    const { code, stdout, stderr } = await runSidecar(["print-config", "-c", path, "--interval=250ms"]);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: "" });
    expect(stdout).to.contain("interval: 250ms # flag --interval\n");
    expect(stdout).to.contain(`  password: "********" # file ${path}:1\n`);
    expect(stdout).to.not.contain("hunter2");
  });

  it("I15: prints, for `run --dry-run`, the same errors as for `run`", async () => {
    const { code } = await runSidecar(["run", "--dry-run", "--interval", "1"]);
    expect(code).to.equal(78);
  });
});
