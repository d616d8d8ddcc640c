import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect } from "chai";
import { startFaultProxy, type FaultProxy, type ProxyMode } from "../support/fault-proxy.js";
import { waitFor } from "../support/wait.js";

/** Longer than what follows takes. */
const DELAY_MS = 200;

describe("the way that breaks on command", () => {
  let proxy: FaultProxy;
  let client: Socket;
  let arrived = "";
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.setEncoding("utf8").on("data", (text: string) => (arrived += text));
  });

  beforeEach(async () => {
    arrived = "";
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    proxy = await startFaultProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const [host, port] = proxy.address.split(":");
    client = connect(Number(port), host);
    client.setNoDelay(true);
    await once(client, "connect");
  });

  afterEach(async () => {
    client.destroy();
    await proxy.close();
    await new Promise((resolve) => server.close(resolve));
  });

  const changes: readonly (readonly ProxyMode[])[] = [
    [{ kind: "slow", delayMs: DELAY_MS }, { kind: "open" }],
    [{ kind: "slow", delayMs: DELAY_MS }, { kind: "silent" }, { kind: "open" }],
    [
      { kind: "slow", delayMs: DELAY_MS },
      { kind: "slow", delayMs: 1 },
    ],
    [
      { kind: "slow", delayMs: DELAY_MS },
      { kind: "narrow", bytesPerSec: 1e6 },
    ],
  ];
  for (const modes of changes) {
    it(`keeps the order of bytes when it is ${modes.map(({ kind }) => kind).join(", then ")}`, async () => {
      let sent = "";
      for (const [i, mode] of modes.entries()) {
        await proxy.set(mode);
        sent += String(i);
        client.write(String(i));
        // Else the pieces become one on their way to the proxy.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await waitFor("all bytes arrive", () => arrived.length === sent.length, 5000);
      expect(arrived).to.equal(sent);
    });
  }
});
