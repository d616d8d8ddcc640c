/** What the process says of itself while its server is in trouble. */
import { expect } from "chai";
import { status } from "@grpc/grpc-js";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.js";
import { startScripted, type ScriptedBanyandb } from "../support/scripted-banyandb.js";
import { startSidecar, type Running } from "../support/sidecar.js";
import { waitFor } from "../support/wait.js";

interface Health {
  readonly components: Readonly<Record<string, string>>;
  readonly delivery: { readonly trouble?: { readonly code: string } };
}

describe("a sidecar whose server is in trouble", function () {
  this.timeout(60_000);

  let server: ScriptedBanyandb;
  let proxy: FaultProxy;
  let running: Running;
  let page: (path: string) => Promise<Response>;

  beforeEach(async () => {
    server = await startScripted();
    proxy = await startFaultProxy(server.address);
    const settings = {
      interval: "200ms",
      "node.id": `trouble-${process.pid}`,
      "target.pid": String(process.pid),
      "banyandb.endpoints": proxy.address,
      "http.listen": "127.0.0.1:0",
    };
    const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    running = startSidecar(["run", ...flags]);
    const [, port = ""] = await running.seen(/"http":"127\.0\.0\.1 port (\d+)"/);
    page = (path) => fetch(`http://127.0.0.1:${port}${path}`);
    await waitFor("it delivers", async () => (await health()).components["delivery"] === "ok");
  });
  afterEach(async () => {
    running.signal("SIGKILL");
    await running.ended;
    // An http2 session whose connection ends while it is reset may never end (Node 20).
    await waitFor("its connections have ended", () => proxy.open() === 0);
    await proxy.close();
    await server.close();
  });

  async function health(): Promise<Health> {
    return (await (await page("/health")).json()) as Health;
  }

  /** I13: whatever the server does, a restart would not cure it, and the pod must not be taken out. */
  async function aliveAndReady(): Promise<void> {
    expect((await page("/livez")).status).to.equal(200);
    expect((await page("/readyz")).status).to.equal(200);
  }

  const faults: readonly [string, string, () => void | Promise<void>][] = [
    ["refuses connections", "UNAVAILABLE", () => proxy.set({ kind: "refuse" })],
    [
      "sheds load",
      "RESOURCE_EXHAUSTED",
      () => {
        server.play({ refuse: { code: status.RESOURCE_EXHAUSTED, details: "memory pressure" } });
      },
    ],
    [
      "has a full disk",
      "DISK_FULL",
      () => {
        server.play({ answer: () => "STATUS_DISK_FULL" });
      },
    ],
    [
      "refuses the account",
      "UNAUTHENTICATED",
      () => {
        server.play({ refuse: { code: status.UNAUTHENTICATED, details: "no such user" } });
      },
    ],
  ];
  for (const [what, code, begin] of faults) {
    it(`I13: is alive and ready where it ${what}, and says so in /health`, async () => {
      await begin();
      await waitFor("it is told", async () => {
        await aliveAndReady();
        return (await health()).delivery.trouble?.code === code;
      });
      const { components } = await health();
      expect(components["measuring"]).to.equal("ok");
      expect(components["delivery"]).to.not.equal("ok");
      // Longer than the silence after which /health fails.
      await waitFor("it fails", async () => {
        await aliveAndReady();
        return (await page("/health")).status === 503;
      });
    });
  }

  it("I13: is alive and ready where nothing moves on its connection", async () => {
    await proxy.set({ kind: "silent" });
    await waitFor("it fails", async () => {
      await aliveAndReady();
      return (await page("/health")).status === 503;
    });
    expect((await health()).components).to.deep.include({ measuring: "ok", delivery: "failing" });
  });
});
