import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { expect } from "chai";
import type { Kernel } from "../../src/kernel/kernel.js";
import { openTestedKernel, watched } from "../support/kernel.js";
import { readerBinary, residentPages, startReader, type Reader } from "../support/reader.js";
import { SILENT } from "../support/silent-log.js";

const READS = 64;

const SEGMENT = "measure/data/g1/seg-20261124";
/** Files of a BanyanDB, and what they belong to. */
const FILES: readonly (readonly [path: string, component: string])[] = [
  [`${SEGMENT}/shard-0/0000000000000001/fv.bin`, "measure g1 data"],
  [`${SEGMENT}/shard-0/0000000000000001/primary.bin`, "measure g1 metadata"],
  [`${SEGMENT}/shard-0/0000000000000001/default.tfm`, "measure g1 metadata"],
  [`${SEGMENT}/shard-0/0000000000000001.snp`, "measure g1 metadata"],
  [`${SEGMENT}/sidx/000000000001.seg`, "measure g1 index"],
  [`${SEGMENT}/metadata`, "measure g1 metadata"],
  ["stream/data/g2/seg-20261124/shard-0/idx/000000000001.seg", "stream g2 index"],
  ["stream/data/g2/seg-20261124/shard-0/0000000000000001/timestamps.bin", "stream g2 data"],
  ["trace/data/g3/seg-20261124/shard-0/sidx/rule/0000000000000001/primary.bin", "trace g3 index"],
  ["trace/data/g3/seg-20261124/shard-0/0000000000000001/spans.bin", "trace g3 data"],
  ["property/data/g4/shard-0/000000000001.seg", "property g4 index"],
  ["schema-property/data/_schema/shard-0/000000000001.seg", "schema n/a index"],
  ["measure/snapshots/x/fv.bin", "measure n/a data"],
  ["elsewhere/file", "unknown n/a n/a"],
];

describe("components of the target's files", function () {
  this.timeout(300_000);
  let root: string;
  let kernel: Kernel | undefined;

  beforeEach(() => {
    root = mkdtempSync("/var/tmp/banyandb-ebpf-sidecar-test-");
  });
  afterEach(() => {
    kernel?.close();
    rmSync(root, { recursive: true });
  });

  function make(path: string): string {
    const file = `${root}/${path}`;
    mkdirSync(dirname(file), { recursive: true });
    execFileSync("dd", ["if=/dev/urandom", `of=${file}`, "bs=1M", "count=1", "conv=fsync", "status=none"]);
    return file;
  }

  /** A process that has the flags of a BanyanDB with its data below `root`, and reads one file. */
  function banyandReading(file: string): Promise<Reader> {
    const flags = ["measure", "stream", "trace", "property", "schema-server"].map(
      (kind) => `--${kind}-root-path=${root}`,
    );
    return startReader(file, { pattern: "random", bytes: 4096, ops: READS, call: "pread", flags });
  }

  function watch(): Kernel {
    kernel = openTestedKernel([watched({ command: root })], SILENT);
    return kernel;
  }

  /** Counter by component, for those where it is not 0. */
  function byComponent(watched: Kernel, counter: string): Record<string, number> {
    const { counters } = watched.read();
    const { names } = watched.layout;
    const result: Record<string, number> = {};
    for (let c = 0; c * names.length < counters.length; c++) {
      const value = Number(counters[c * names.length + names.indexOf(counter)]);
      if (value === 0) continue;
      const { catalog, dbGroup, fileKind } = watched.describe(c);
      result[`${catalog} ${dbGroup} ${fileKind}`] = value;
    }
    return result;
  }

  async function readFile(watched: Kernel, file: string): Promise<void> {
    const reader = await banyandReading(file);
    watched.follow();
    await reader.run();
    await reader.end();
  }

  it("are known by the directory and the name", async () => {
    const files = FILES.map(([path]) => make(path));
    const watched = watch();
    for (const file of files) await readFile(watched, file);
    const expected: Record<string, number> = {};
    for (const [, component] of FILES) expected[component] = (expected[component] ?? 0) + READS;
    expect(byComponent(watched, "reads")).to.deep.equal(expected);
  });

  it("stay known of a file that was cached before the start, never read since, and unlinked", async () => {
    const file = make(`${SEGMENT}/shard-0/0000000000000001/fv.bin`);
    const other = make("elsewhere/file");
    execFileSync("cat", [file], { stdio: ["ignore", "ignore", "inherit"] });
    const watched = watch();
    await readFile(watched, other);
    // Others may have evicted some.
    const pages = residentPages(file);
    unlinkSync(file);
    expect(pages).to.be.greaterThan(0);
    expect(byComponent(watched, "pages_evicted_truncate")).to.deep.equal({ "measure g1 data": pages });
  });

  it("have the program itself apart, whose code memory pressure takes like any other page", async () => {
    const program = `${root}/program`;
    copyFileSync(readerBinary(), program);
    const child = spawn(program, ["/dev/null", "hold", "1", "1", "1"], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    kernel = openTestedKernel([watched({ pid: child.pid ?? 0 })], SILENT);
    kernel.follow();
    child.kill();
    await once(child, "exit");
    const pages = residentPages(program);
    unlinkSync(program);
    expect(pages).to.be.greaterThan(0);
    expect(byComponent(kernel, "pages_evicted_truncate")).to.deep.equal({
      "program n/a n/a": pages,
    });
  });

  it("are found for a group that appears later", async () => {
    const first = make(`${SEGMENT}/shard-0/0000000000000001/fv.bin`);
    const watched = watch();
    await readFile(watched, first);
    const later = make("measure/data/g9/seg-20261124/shard-0/0000000000000001/fv.bin");
    await readFile(watched, later);
    expect(byComponent(watched, "reads")).to.deep.equal({
      "measure g1 data": READS,
      "measure g9 data": READS,
    });
  });
});
