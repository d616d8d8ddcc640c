/** Delivery over TLS and with an account; both change while ticks come, and no count is lost by it. */
import { expect } from "chai";
import { createDelivery, type Delivery } from "../../src/banyandb/delivery.js";
import { readBack } from "../../src/banyandb/read-back.js";
import { openTransport, type Transport, type TransportOptions } from "../../src/banyandb/transport.js";
import type { BanyandbConfig, TlsConfig } from "../../src/config/config.js";
import { startEmbedded, type EmbeddedBanyandb } from "../../src/embedded/server.js";
import { Service } from "../../src/gen/banyandb/common/v1/common_pb.js";
import type { Log } from "../../src/model/log.js";
import { createAuthority, type Authority } from "../support/certificates.js";
import { CACHE, IDENTITY, SCHEMA, tickAt } from "../support/ticks.js";
import { startTlsProxy, type TlsProxy } from "../support/tls-proxy.js";
import { waitFor } from "../support/wait.js";

const CALL = { deadlineMs: 5000 };

describe("a protected BanyanDB", function () {
  this.timeout(60_000);

  let authority: Authority;
  let other: Authority;
  let server: EmbeddedBanyandb;
  let proxy: TlsProxy;
  let account: { username: string; password: string };
  let config: BanyandbConfig;
  let delivery: Delivery | undefined;
  let shown: string;
  let beganMs: number;
  let sent: number;
  let groups = 0;
  const transports: Transport[] = [];

  before(() => {
    [authority, other] = [createAuthority(), createAuthority()];
  });
  beforeEach(async () => {
    account = { username: "me", password: "first-secret" };
    server = await startEmbedded({ host: "127.0.0.1", port: 0, account: () => account });
    proxy = await startTlsProxy(server.address, authority.issue("IP:127.0.0.1"));
    config = {
      endpoints: [proxy.address],
      group: `security_${groups++}`,
      ttlDays: 7,
      segmentDays: 1,
      shards: 1,
      username: "me",
      password: "first-secret",
      tls: tls({ ca: authority.certificate }),
    };
    beganMs = Math.floor(Date.now() / 1000) * 1000 - 3_600_000;
    [sent, shown] = [0, ""];
  });
  afterEach(async () => {
    delivery?.abort();
    for (const transport of transports.splice(0)) transport.close();
    await proxy.close();
    await server.kill();
  });

  function tls(change: Partial<TlsConfig>): TlsConfig {
    return { caFile: undefined, ca: undefined, serverName: undefined, ...change };
  }

  function open(change: Partial<TransportOptions>): Transport {
    const transport = openTransport({ ...config, ...change });
    transports.push(transport);
    return transport;
  }

  function ask(change: Partial<TransportOptions> = {}): Promise<string> {
    return open(change)
      .call(Service.method.getAPIVersion, {}, CALL)
      .then(
        ({ version }) => version?.version ?? "",
        (error: unknown) => String(error),
      );
  }

  function start(): void {
    const note = (...line: readonly unknown[]): void => {
      shown += JSON.stringify(line);
    };
    const log: Log = { debug: note, info: note, warn: note, error: note, throttled: note };
    delivery = createDelivery({
      config: {
        banyandb: config,
        queue: { maxBytes: 1e7, maxAgeMs: 7 * 86_400_000 },
        delivery: { audit: false },
      },
      identity: IDENTITY,
      schema: SCHEMA,
      log,
      timing: { paceMs: 20 },
    });
  }

  function enqueue(count: number): void {
    for (let i = 0; i < count; i++)
      delivery?.enqueue(tickAt(beganMs + ++sent * 1000, { hit: 1, missed: 0 }, 1000));
  }

  function configure(change: Partial<BanyandbConfig>): void {
    config = { ...config, ...change };
    delivery?.configure({
      banyandb: config,
      queue: { maxBytes: 1e7, maxAgeMs: 7 * 86_400_000 },
      delivery: { audit: false },
    });
  }

  async function expectAllStored(): Promise<void> {
    const written = () => delivery?.status().points.written === sent;
    await waitFor("every point is written", written, 30_000);
    const { rows, sums } = await readBack({
      transport: open({}),
      group: config.group,
      groupSpec: SCHEMA.group,
      measure: CACHE,
      identity: IDENTITY,
      fromMs: beganMs,
      toMs: beganMs + 3_600_000,
    });
    expect(sums["pages_hit"]).to.equal(sent);
    expect(rows).to.have.length(sent);
  }

  it("is reached where the certificate is of the given authority and for the endpoint's host", async () => {
    expect(await ask()).to.equal(server.version);
  });

  it("is reached by another name that the certificate has", async () => {
    proxy.show(authority.issue("DNS:banyandb.internal"));
    expect(await ask())
      .to.contain("UNAVAILABLE")
      .and.contain("IP: 127.0.0.1 is not in the cert's list");
    const named = tls({ ca: authority.certificate, serverName: "banyandb.internal" });
    expect(await ask({ tls: named })).to.equal(server.version);
  });

  it("is not reached where the authority is another, or only the system's are trusted", async () => {
    expect(await ask({ tls: tls({ ca: other.certificate }) })).to.contain("UNAVAILABLE");
    expect(await ask({ tls: tls({}) })).to.contain("UNAVAILABLE");
  });

  it("is not reached in plain text", async () => {
    expect(await ask({ tls: undefined })).to.contain("UNAVAILABLE");
  });

  it("refuses a wrong account, and the error does not show it", async () => {
    const refused = await ask({ password: "wrong-secret" });
    expect(refused).to.contain("UNAUTHENTICATED").and.not.contain("secret");
  });

  it("F19: loses nothing while its password changes, whichever side is first", async () => {
    start();
    enqueue(3);
    await expectAllStored();
    account = { ...account, password: "second-secret" };
    enqueue(3);
    await waitFor("it is refused", () => delivery?.status().trouble?.code === "UNAUTHENTICATED");
    configure({ password: "second-secret" });
    await expectAllStored();
    configure({ password: "third-secret" });
    enqueue(3);
    await waitFor("it is refused", () => delivery?.status().trouble?.code === "UNAUTHENTICATED");
    account = { ...account, password: "third-secret" };
    configure({ password: "third-secret", username: "me", endpoints: [...config.endpoints] });
    // Nothing has changed for the sidecar, so it must come by itself; the floor of 30 s is not waited for here.
    configure({ tls: tls({ ca: `${authority.certificate}\n` }) });
    await expectAllStored();
    expect(delivery?.status().reconnects["settings"]).to.equal(1);
    expect(shown + JSON.stringify(delivery?.status())).to.not.contain("secret");
  });

  it("F19: loses nothing while its certificate comes from another authority", async () => {
    start();
    enqueue(3);
    await expectAllStored();
    proxy.show(other.issue("IP:127.0.0.1"));
    enqueue(3);
    await waitFor("it is not trusted", () => delivery?.status().trouble?.code === "UNAVAILABLE");
    expect(delivery?.status().points).to.include({ written: 3, queued: 3 });
    configure({ tls: tls({ ca: other.certificate }) });
    await expectAllStored();
  });

  it("is left for another one when the endpoints change", async () => {
    const second = await startTlsProxy(server.address, authority.issue("IP:127.0.0.1"));
    try {
      start();
      enqueue(3);
      await expectAllStored();
      configure({ endpoints: [second.address] });
      enqueue(3);
      await expectAllStored();
      expect(delivery?.status().sink.address).to.equal(second.address);
    } finally {
      await second.close();
    }
  });
});

describe("several endpoints", () => {
  const endpoints = ["a:1", "b:1", "c:1"];

  function first(random: () => number): string {
    const options = { endpoints, username: undefined, password: undefined };
    const transport = openTransport(options, undefined, random);
    transport.close();
    return transport.address();
  }

  it("are each first by chance", () => {
    const chosen = new Set([0, 0.2, 0.4, 0.6, 0.8, 0.99].map((value) => first(() => value)));
    expect([...chosen].sort()).to.deep.equal(endpoints);
  });

  it("are each tried once before one is tried again", () => {
    const transport = openTransport({ endpoints, username: undefined, password: undefined });
    const tried = [transport.address()];
    for (let i = 0; i < 3; i++) {
      transport.reopen("failover");
      tried.push(transport.address());
    }
    transport.close();
    expect(new Set(tried.slice(0, 3)).size).to.equal(3);
    expect(tried[3]).to.equal(tried[0]);
    expect(transport.reconnects().failover).to.equal(3);
  });
});

describe("a connection that is old", function () {
  this.timeout(20_000);

  it("is left for a new one, and nothing is lost or doubled", async () => {
    const server = await startEmbedded({ host: "127.0.0.1", port: 0 });
    const silent = (): undefined => undefined;
    const config = { ttlDays: 7, segmentDays: 1, shards: 1, username: undefined, password: undefined };
    const delivery = createDelivery({
      config: {
        banyandb: { ...config, endpoints: [server.address], group: "old" },
        queue: { maxBytes: 1e7, maxAgeMs: 7 * 86_400_000 },
        delivery: { audit: false },
      },
      identity: IDENTITY,
      schema: SCHEMA,
      log: { debug: silent, info: silent, warn: silent, error: silent, throttled: silent },
      timing: { recycleMs: 100, paceMs: 20 },
    });
    try {
      const beganMs = Date.now() - 60_000;
      for (let i = 0; i < 5; i++) {
        delivery.enqueue(tickAt(beganMs + i, { hit: 1, missed: 0 }, 1));
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
      await waitFor("all are written", () => delivery.status().points.written === 5);
      const { reconnects } = delivery.status();
      expect(reconnects["recycle"]).to.be.at.least(2);
      expect(reconnects["lost"]).to.equal(0);
    } finally {
      delivery.abort();
      await server.kill();
    }
  });
});
