/** What SIGHUP changes of delivery, end to end: endpoints, account, bounds of the queue, age and audit. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type EmbeddedBanyandb, startEmbedded } from "../../src/embedded/server.js";
import { startScripted } from "../support/scripted-banyandb.js";
import { type Running, startSidecar } from "../support/sidecar.js";
import { waitFor } from "../support/wait.js";

interface Delivery {
  readonly sink: { readonly address: string };
  readonly points: Readonly<Record<"written" | "unstored" | "queued", number>>;
  readonly queueMaxBytes: number;
  readonly trouble?: { readonly code: string };
}

describe("the delivery of a sidecar that is changed while it runs", function () {
  this.timeout(90_000);

  let folder: string;
  let running: Running;
  let port: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sidecar-reload-"));
  });
  afterEach(async () => {
    running.signal("SIGKILL");
    await running.ended;
    rmSync(folder, { recursive: true });
  });

  function configure(text: string): string {
    const path = join(folder, "sidecar.yaml");
    const always = `node: { id: reload-delivery-${process.pid} }
interval: 200ms
kernel: { allow_degraded: true }
http: { listen: "127.0.0.1:0" }
`;
    writeFileSync(path, always + text, { mode: 0o600 });
    return path;
  }

  async function start(text: string): Promise<void> {
    running = startSidecar(["run", "--config", configure(text)], { unprivileged: true });
    [, port = ""] = await running.seen(/"http":"127\.0\.0\.1 port (\d+)"/);
    await goesOn();
  }

  async function reload(text: string, changed: RegExp): Promise<void> {
    configure(text);
    running.signal("SIGHUP");
    await running.seen(changed);
  }

  async function delivery(): Promise<Delivery> {
    const health = await fetch(`http://127.0.0.1:${port}/health`);
    return ((await health.json()) as { delivery: Delivery }).delivery;
  }

  async function goesOn(): Promise<void> {
    const before = (await delivery()).points.written;
    await waitFor("more points are written", async () => (await delivery()).points.written > before + 2);
  }

  it("moves to another server with another account, and loses nothing", async () => {
    const accounts = ["me", "you"].map((username) => ({ username, password: `hunter2-${username}` }));
    const servers: EmbeddedBanyandb[] = [];
    for (const account of accounts)
      servers.push(await startEmbedded({ host: "127.0.0.1", port: 0, account: () => account }));
    const [first, second] = servers.map(({ address }) => address);
    try {
      await start(`banyandb: { endpoints: ${first ?? ""}, username: me, password: hunter2-me }`);
      // The new server with the old account: refused, and kept.
      await reload(
        `banyandb: { endpoints: ${second ?? ""}, username: me, password: hunter2-me }`,
        /"changed":\["banyandb.endpoints"\]/,
      );
      await waitFor("it is refused", async () => (await delivery()).trouble?.code === "UNAUTHENTICATED");
      await reload(
        `banyandb: { endpoints: ${second ?? ""}, username: you, password: hunter2-you }`,
        /"changed":\["banyandb.username","banyandb.password"\]/,
      );
      await goesOn();
      expect((await delivery()).sink.address).to.equal(second);
      running.signal("SIGTERM");
      const { stderr, stdout } = await running.ended;
      expect(stdout + stderr).to.not.contain("hunter2");
      const last = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "") as Record<string, number>;
      expect(last).to.include({ points_not_delivered: 0, points_dropped: 0, points_rejected: 0 });
    } finally {
      for (const server of servers) await server.kill();
    }
  });

  it("takes bounds, age and audit, which then finds what was acknowledged and not stored", async () => {
    const server = await startScripted();
    const endpoints = `banyandb: { endpoints: ${server.address} }\n`;
    try {
      await start(endpoints);
      await reload(
        `${endpoints}queue: { max_bytes: 2MiB, max_age: 2h }\ndelivery: { audit: true }`,
        /"changed":\["queue.max_bytes","queue.max_age","delivery.audit"\]/,
      );
      expect((await delivery()).queueMaxBytes).to.equal(2 * 2 ** 20);
      server.play({ forgets: () => true });
      await goesOn();
      server.play({});
      // One replay window, and one query after it.
      await waitFor("it is found", async () => (await delivery()).points.unstored > 2, 60_000);
    } finally {
      await server.close();
    }
  });
});
