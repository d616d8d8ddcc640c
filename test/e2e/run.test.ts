import { createServer, type AddressInfo, type Server } from "node:net";
import { expect } from "chai";
import { type EmbeddedBanyandb, startEmbedded } from "../../src/embedded/server.js";
import { acquireInstanceLock } from "../../src/instance-lock.js";
import { type Running, runSidecar, startSidecar } from "../support/sidecar.js";

/** A `run` that needs nothing of the kernel: what is tested here is the process around it. */
const DEGRADED = ["--kernel-allow-degraded", "true", "--interval", "200ms", "--http-listen", "off"];

/** A port where connections are taken and nothing is ever answered. */
async function blackHole(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on("error", () => undefined));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

interface Line {
  readonly message: string;
  readonly points_written?: number;
  readonly points_not_delivered?: number;
}

function logLines(stderr: string): Line[] {
  return stderr
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

describe("the process of `run`", function () {
  this.timeout(20_000);

  const started: Running[] = [];
  let tests = 0;
  let nodeId = "";

  beforeEach(() => {
    nodeId = `run-test-${process.pid}-${tests++}`;
  });

  afterEach(async () => {
    for (const running of started.splice(0)) {
      running.signal("SIGKILL");
      await running.ended;
    }
  });

  function start(...args: string[]): Running {
    const running = startSidecar(["run", "--node-id", nodeId, ...DEGRADED, ...args], { unprivileged: true });
    started.push(running);
    return running;
  }

  it("delivers, and on SIGTERM delivers the rest and ends with 0", async () => {
    const banyandb: EmbeddedBanyandb = await startEmbedded({ host: "127.0.0.1", port: 0 });
    try {
      const running = start("--banyandb-endpoints", banyandb.address);
      await running.seen(/"message":"started"/);
      await new Promise((resolve) => setTimeout(resolve, 700));
      running.signal("SIGTERM");
      const { code, stderr } = await running.ended;
      expect(code).to.equal(0);
      const last = logLines(stderr).at(-1);
      expect(last?.message).to.equal("stopped");
      expect(last?.points_not_delivered).to.equal(0);
      expect(last?.points_written ?? 0).to.be.above(1);
    } finally {
      await banyandb.kill();
    }
  });

  it("ends within the deadline of 10 s where nobody answers, and says how much is left", async () => {
    const { server, port } = await blackHole();
    try {
      const running = start("--banyandb-endpoints", `127.0.0.1:${port}`);
      await running.seen(/"message":"started"/);
      await new Promise((resolve) => setTimeout(resolve, 500));
      const beganMs = performance.now();
      running.signal("SIGINT");
      const { code, stderr } = await running.ended;
      expect(performance.now() - beganMs).to.be.below(10_000);
      expect(code).to.equal(0);
      expect(logLines(stderr).at(-1)?.points_not_delivered ?? 0).to.be.above(0);
    } finally {
      server.close();
    }
  });

  it("ends at once on the second signal, with 1 and how much is left", async () => {
    const { server, port } = await blackHole();
    try {
      const running = start("--banyandb-endpoints", `127.0.0.1:${port}`);
      await running.seen(/"message":"started"/);
      await new Promise((resolve) => setTimeout(resolve, 500));
      running.signal("SIGTERM");
      await running.seen(/"message":"stopping"/);
      const beganMs = performance.now();
      running.signal("SIGTERM");
      const { code, stderr } = await running.ended;
      expect(performance.now() - beganMs).to.be.below(1000);
      expect(code).to.equal(1);
      const last = logLines(stderr).at(-1);
      expect(last?.message).to.equal("ended at once by a second signal");
      expect(last?.points_not_delivered ?? 0).to.be.above(0);
    } finally {
      server.close();
    }
  });

  it("is refused while another one writes the same group and node, with the pid of that one", async () => {
    const first = start("--banyandb-endpoints", "127.0.0.1:9");
    await first.seen(/"message":"started"/);
    const { code, stdout, stderr } = await start().ended;
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: "" });
    expect(stderr).to.contain(`another sidecar, pid ${first.pid}, writes group ebpf as node ${nodeId}`);
  });

  it("ends with 1 where the port of its endpoint is in use, and leaves nothing behind", async () => {
    const { server, port } = await blackHole();
    try {
      const { code, stdout, stderr } = await start("--http-listen", `127.0.0.1:${port}`).ended;
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: "" });
      expect(stderr).to.contain(`listen on HTTP endpoint 127.0.0.1:${port} failed: EADDRINUSE`);
      expect(stderr).to.not.contain('"message":"started"');
      const lock = await acquireInstanceLock({ group: "ebpf", nodeId });
      await lock.release();
    } finally {
      server.close();
    }
  });

  it("answers health and metrics while it runs, 503 where nothing is measured", async () => {
    const running = start("--banyandb-endpoints", "127.0.0.1:9", "--http-listen", "127.0.0.1:0");
    const [, port = ""] = await running.seen(/"message":"started".*"http":"127\.0\.0\.1 port (\d+)"/);
    const page = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    expect((await page("/livez")).status).to.equal(200);
    expect((await page("/readyz")).status).to.equal(503);
    const health = await page("/health");
    expect(health.status).to.equal(503);
    const { status, problems } = (await health.json()) as { status: string; problems: string[] };
    expect(status).to.equal("failing");
    expect(problems[0]).to.match(/^nothing is measured: .*EPERM/);
    expect(await (await page("/metrics")).text()).to.contain('tier="none"');
  });

  it("ends with 77 where it may not load BPF programs, and names the missing capabilities", async () => {
    const ended = await runSidecar(["run", "--node-id", nodeId, "--http-listen", "off"], {
      unprivileged: true,
    });
    expect(ended.code).to.equal(77);
    expect(ended.stderr).to.contain("CAP_BPF is missing");
    expect(ended.stderr).to.contain("CAP_PERFMON is missing");
    const check = await runSidecar(["check", "--banyandb-endpoints", "127.0.0.1:9"], { unprivileged: true });
    expect(check.code).to.equal(77);
    expect(check.stdout).to.match(/^capabilities +CAP_BPF, CAP_PERFMON, .*missing$/m);
  });

  it("prints rows as JSON lines in a dry run, without server, endpoint or lock", async () => {
    const running = start("--dry-run");
    await running.seen(/"measure":"sidecar"/);
    running.signal("SIGTERM");
    const { code, stdout } = await running.ended;
    expect(code).to.equal(0);
    const rows = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { measure: string; tags: Record<string, string>; fields: object });
    expect(rows[0]?.tags).to.deep.equal({
      node_id: nodeId,
      cluster: "n/a",
      node_role: "n/a",
      node_type: "n/a",
    });
    expect(rows[0]?.fields).to.include.keys("status", "interval_ms");
  });
});
