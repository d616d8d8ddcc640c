/** `run` with secrets, as an operator changes them: nothing is lost, and nothing secret is ever shown. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type EmbeddedBanyandb, startEmbedded } from "../../src/embedded/server.js";
import { createAuthority, type Authority } from "../support/certificates.js";
import { type Running, runSidecar, startSidecar } from "../support/sidecar.js";
import { startTlsProxy, type TlsProxy } from "../support/tls-proxy.js";
import { waitFor } from "../support/wait.js";

const FIRST = "hunter2-first";
const SECOND = "hunter2-second";

interface Line {
  readonly level: string;
  readonly message: string;
  readonly changed?: readonly string[];
  readonly keys?: readonly string[];
  readonly problems?: readonly string[];
}

describe("a protected sidecar that is changed while it runs", function () {
  this.timeout(40_000);

  let folder: string;
  let authority: Authority;
  let account: { username: string; password: string };
  let server: EmbeddedBanyandb;
  let proxy: TlsProxy;
  let running: Running | undefined;
  let tests = 0;

  before(() => {
    authority = createAuthority();
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sidecar-reload-"));
    account = { username: "me", password: FIRST };
    server = await startEmbedded({ host: "127.0.0.1", port: 0, account: () => account });
    proxy = await startTlsProxy(server.address, authority.issue("DNS:banyandb"));
    writeFileSync(path("password"), `${FIRST}\n`, { mode: 0o600 });
    writeFileSync(path("ca.pem"), authority.certificate);
    tests++;
  });
  afterEach(async () => {
    running?.signal("SIGKILL");
    await running?.ended;
    running = undefined;
    await proxy.close();
    await server.kill();
    rmSync(folder, { recursive: true });
  });

  function path(name: string): string {
    return join(folder, name);
  }

  function configure(more = ""): string {
    const text = `node: { id: reload-${process.pid}-${tests} }
kernel: { allow_degraded: true }
http: { listen: "127.0.0.1:0" }
banyandb:
  endpoints: ${proxy.address}
  username: me
  password_file: ${path("password")}
  tls: { enabled: true, ca_file: ${path("ca.pem")}, server_name: banyandb }
${more}`;
    writeFileSync(path("sidecar.yaml"), text, { mode: 0o600 });
    return path("sidecar.yaml");
  }

  /** Starts it; returns what reads a page of its endpoint. */
  async function start(): Promise<(page: string) => Promise<string>> {
    const config = configure("interval: 200ms");
    running = startSidecar(["run", "--config", config], { unprivileged: true });
    const [, port = ""] = await running.seen(/"http":"127\.0\.0\.1 port (\d+)"/);
    return async (page) => (await fetch(`http://127.0.0.1:${port}${page}`)).text();
  }

  async function written(page: (name: string) => Promise<string>): Promise<number> {
    const { delivery } = JSON.parse(await page("/health")) as { delivery: { points: { written: number } } };
    return delivery.points.written;
  }

  async function goesOn(page: (name: string) => Promise<string>): Promise<void> {
    const before = await written(page);
    await waitFor("more points are written", async () => (await written(page)) > before + 2);
  }

  async function lines(): Promise<Line[]> {
    running?.signal("SIGTERM");
    const ended = await running?.ended;
    return `${ended?.stdout ?? ""}${ended?.stderr ?? ""}`
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line);
  }

  it("delivers on after its password file was rewritten, without a signal", async () => {
    const page = await start();
    await goesOn(page);
    account = { ...account, password: SECOND };
    writeFileSync(path("password"), `${SECOND}\n`);
    await running?.seen(/"message":"secrets read again"/);
    await goesOn(page);
    const last = (await lines()).at(-1) as unknown as Record<string, number>;
    expect(last["points_not_delivered"]).to.equal(0);
    expect(last["points_dropped"]).to.equal(0);
    expect(last["points_rejected"]).to.equal(0);
  });

  it("takes a new configuration at SIGHUP, and says what needs a restart", async () => {
    const page = await start();
    configure("interval: 100ms\nlog: { level: debug }\ntarget: { name: other }");
    running?.signal("SIGHUP");
    await running?.seen(/"message":"configuration read again"/);
    expect(JSON.parse(await page("/health"))).to.deep.include({ intervalMs: 100 });
    await goesOn(page);
    const said = await lines();
    expect(said.find(({ keys }) => keys)?.keys).to.deep.equal(["target.name"]);
    expect(said.find(({ changed }) => changed)?.changed).to.deep.equal(["interval", "log.level"]);
  });

  it("keeps the old one where the new one is bad, and lists all that is wrong", async () => {
    const page = await start();
    configure("interval: soon\nqueue: { max_bytes: lots }");
    running?.signal("SIGHUP");
    await running?.seen(/the new configuration is bad; the old one stays/);
    await goesOn(page);
    const refused = (await lines()).find(({ problems }) => problems);
    expect(refused?.level).to.equal("error");
    expect(refused?.problems).to.have.length(2);
    expect(refused?.problems?.[0]).to.contain("interval: ").and.contain("sidecar.yaml:9");
  });

  it("I15: shows its password nowhere", async () => {
    const page = await start();
    await goesOn(page);
    account = { ...account, password: SECOND };
    await waitFor("it is refused", async () => (await page("/health")).includes("UNAUTHENTICATED"));
    const shown = [await page("/health"), await page("/metrics")];
    running?.signal("SIGTERM");
    await running?.seen(/"message":"stopping"/);
    shown.push(JSON.stringify(await lines()));
    const inline = path("inline.yaml");
    const account1 = `username: me, password: ${FIRST}, endpoints: ${server.address}`;
    writeFileSync(inline, `banyandb: { ${account1} }`, { mode: 0o600 });
    for (const args of [
      ["print-config", "--config", path("sidecar.yaml")],
      ["print-config", "--config", inline],
      ["check", "--config", inline],
      ["schema", "diff", "--config", inline],
      ["run", "--config", inline, "--interval", "soon"],
    ]) {
      const { stdout, stderr } = await runSidecar(args, { unprivileged: true });
      expect(stdout + stderr, args.join(" ")).to.not.equal("");
      shown.push(stdout, stderr);
    }
    for (const text of shown) expect(text).to.not.contain("hunter2");
  });

  it("does not start with a secret that others can read, nor with a configuration that they can write", async () => {
    const config = configure();
    writeFileSync(path("loose.yaml"), "", { mode: 0o600 });
    chmodSync(path("password"), 0o644);
    const readable = await runSidecar(["run", "--config", config]);
    expect(readable.code).to.equal(78);
    expect(readable.stderr).to.contain(
      "password: it holds a secret, and group or others may read or write it",
    );
    chmodSync(path("loose.yaml"), 0o666);
    const writable = await runSidecar(["print-config", "--config", path("loose.yaml")]);
    expect(writable.code).to.equal(78);
    expect(writable.stderr).to.contain("others may write it (mode 0666): chmod o-w");
  });
});
