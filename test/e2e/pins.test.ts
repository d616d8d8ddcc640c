/** The program with kernel.pin_path, as a user runs it: what one process leaves, and what the next makes of it. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect } from "chai";
import { readBack } from "../../src/banyandb/read-back.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import { readSchema } from "../../src/config/schema-files.js";
import { startEmbedded } from "../../src/embedded/server.js";
import { mountBpfFs, pretendOther, type BpfFs } from "../support/bpf-fs.js";
import { present } from "../support/present.js";
import { makeFile, startReader, type Reader, type Truth } from "../support/reader.js";
import { runSidecar, startSidecar, type Running } from "../support/sidecar.js";
import { waitFor } from "../support/wait.js";

const NODE_ID = "pinned:17912";
const PASSWORD = "correct-horse-battery";

describe("run with kernel.pin_path", function () {
  this.timeout(120_000);
  let fs: BpfFs;
  let file: ReturnType<typeof makeFile>;
  let server: Awaited<ReturnType<typeof startEmbedded>>;
  let direct: Transport;
  let path: string;
  let group: string;
  let count = 0;
  const running: Running[] = [];

  before(async () => {
    fs = mountBpfFs();
    file = makeFile(16 << 20);
    server = await startEmbedded({ host: "127.0.0.1", port: 0 });
    direct = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
  });
  after(async () => {
    direct.close();
    await server.stop();
    file.remove();
    fs.remove();
  });
  beforeEach(() => {
    path = `${fs.path}/pins_${count}`;
    group = `pins_${count++}`;
  });
  afterEach(async () => {
    for (const one of running.splice(0)) {
      one.signal("SIGKILL");
      await one.ended;
    }
    execFileSync("rm", ["-rf", path]);
  });

  function run(settings: Readonly<Record<string, string>> = {}): Running {
    const all = {
      interval: "100ms",
      "node.id": NODE_ID,
      "target.command": `reader ${file.path}`,
      "kernel.pin_path": path,
      "banyandb.endpoints": server.address,
      "banyandb.group": group,
      "http.listen": "off",
      ...settings,
    };
    const args = Object.entries(all).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const environment = { BANYANDB_EBPF_BANYANDB_USERNAME: "u", BANYANDB_EBPF_BANYANDB_PASSWORD: PASSWORD };
    const sidecar = startSidecar(["run", ...args], { environment });
    running.push(sidecar);
    return sidecar;
  }

  async function started(settings?: Readonly<Record<string, string>>): Promise<Running> {
    const sidecar = run(settings);
    await sidecar.seen(/"message":"started"/);
    return sidecar;
  }

  async function readerOf(sidecar: Running): Promise<Reader> {
    const reader = await startReader(file.path, { pattern: "unaligned", bytes: 65_536, ops: 1000 });
    await sidecar.seen(new RegExp(`"target process found".*"pid":${reader.pid}`));
    return reader;
  }

  async function killed(sidecar: Running): Promise<void> {
    sidecar.signal("SIGKILL");
    await sidecar.ended;
  }

  const storedReads = async (): Promise<number> => {
    const schema = readSchema();
    const { sums } = await readBack({
      transport: direct,
      group,
      groupSpec: schema.group,
      measure: present(schema.measures.find(({ name }) => name === "page_cache")),
      identity: [NODE_ID],
      fromMs: Date.now() - 3_600_000,
      toMs: Date.now() + 60_000,
    });
    return sums["reads"] ?? 0;
  };

  /** Ends in good order; what is stored then. */
  async function stopped(sidecar: Running): Promise<number> {
    sidecar.signal("SIGTERM");
    const { code, stderr } = await sidecar.ended;
    expect(code, stderr).to.equal(0);
    return storedReads();
  }

  it("delivers what was counted while no sidecar was there", async () => {
    const first = await started();
    const reader = await readerOf(first);
    await killed(first);
    const { reads } = await reader.run();
    await reader.end();
    const second = await started();
    await second.seen(/"counting goes on"/);
    await waitFor("the reads are stored", async () => (await storedReads()) >= reads);
    expect(await stopped(second)).to.equal(reads);
  });

  for (const what of ["build", "layout"] as const) {
    it(`keeps all counts when programs of another ${what} take over`, async () => {
      const truths: Truth[] = [];
      let sidecar = await started();
      for (let life = 0; life < 3; life++) {
        const reader = await readerOf(sidecar);
        truths.push(await reader.run());
        await killed(sidecar);
        await reader.end();
        pretendOther(what, path);
        sidecar = await started();
      }
      const reads = truths.reduce((sum, truth) => sum + truth.reads, 0);
      // A program that counts from the execve on sees the dynamic loader too: 6 reads.
      expect(await stopped(sidecar)).to.be.within(reads, reads + 6 * truths.length);
    });
  }

  it("takes over counts for another identity without writing any twice", async () => {
    const first = await started();
    const reader = await readerOf(first);
    const { reads } = await reader.run();
    await waitFor("the reads are stored", async () => (await storedReads()) >= reads);
    await killed(first);
    const second = await started({ "node.id": "renamed:17912" });
    await second.seen(/"target process found"/);
    await stopped(second);
    await reader.end();
    expect(await storedReads()).to.equal(reads);
  });

  it("refuses a second sidecar, and unload while one runs", async () => {
    const first = await started();
    const second = await run({ "banyandb.group": `${group}_other` }).ended;
    expect(second.code).to.equal(1);
    expect(second.stderr).to.contain(`pid ${first.pid} counts with these pins`);
    const unload = await runSidecar(["unload", "--pin-path", path]);
    expect(unload.code).to.equal(1);
    expect(unload.stderr).to.contain("counts with these pins");
  });

  it("leaves pins when it stops, and unload removes them", async () => {
    await stopped(await started());
    expect(readdirSync(path)).to.include("journal");
    const check = await runSidecar(["check", "--set", `kernel.pin_path=${path}`]);
    expect(check.stdout).to.contain("wait for `run`");
    const unload = await runSidecar(["unload", "--pin-path", path]);
    expect(unload).to.include({ code: 0, stdout: `removed what was pinned in ${path}\n` });
    expect(readdirSync(fs.path)).to.not.include(path.slice(fs.path.length + 1));
    const again = await runSidecar(["unload", "--pin-path", path]);
    expect(again).to.include({ code: 0, stdout: `nothing is pinned in ${path}\n` });
  });

  it("refuses a damaged journal, says what to do, and removes nothing", async () => {
    await stopped(await started());
    const before = readdirSync(path);
    const pin = ["pinned", `${path}/journal`];
    // The first page of both areas.
    for (const page of [1, 513]) {
      const key = ["key", "hex", ...[page & 255, page >> 8, 0, 0].map((byte) => byte.toString(16))];
      execFileSync("bpftool", ["map", "update", ...pin, ...key, "value", ...Array<string>(4096).fill("7")]);
    }
    const { code, stderr } = await run().ended;
    expect(code).to.equal(1);
    expect(stderr).to.contain(`unload --pin-path ${path}`);
    expect(readdirSync(path)).to.deep.equal(before);
  });

  it("goes on without pins where there is no place for them, and says so", async () => {
    const sidecar = await started({ "kernel.pin_path": `${tmpdir()}/no-bpf-file-system` });
    await sidecar.seen(/"nothing is pinned[^}]*mount -t bpf/);
    await stopped(sidecar);
  });

  it("keeps no secret in the journal", async () => {
    const sidecar = await started();
    const reader = await readerOf(sidecar);
    await reader.run();
    await reader.end();
    await killed(sidecar);
    const dump = execFileSync("bpftool", ["--json", "map", "dump", "pinned", `${path}/journal`], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const pages = JSON.parse(dump) as { value: string[] }[];
    const text = Buffer.from(pages.flatMap(({ value }) => value.map(Number))).toString("latin1");
    expect(text).to.contain(NODE_ID);
    expect(text).to.not.contain(PASSWORD);
  });
});
