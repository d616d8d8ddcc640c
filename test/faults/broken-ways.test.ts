/**
 * Faults of the network and of the server's process (labels: docs/decisions/0007), on the way to a `banyand` in PATH
 * where there is one; what must be seen from within the server is in scripted-ways. All end with a query.
 */
import { expect } from "chai";
import { setTimeout as sleep } from "node:timers/promises";
import { startBanyandbServer, type BanyandbServer, type ServerControls } from "../support/banyandb-server.js";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { present } from "../support/present.js";
import { startServerProcess } from "../support/server-process.js";
import { waitFor } from "../support/wait.js";

/** Bytes of one tick on the wire: three rows of at least this many. */
const TICK_BYTES = 3 * 120;
const TICKS = 300;

describe("broken ways", function () {
  this.timeout(90_000);

  let server: BanyandbServer;
  let controls: ServerControls;
  let rig: Rig;

  before(async () => {
    server = await startBanyandbServer();
    controls = present(server.controls);
  });
  after(async () => {
    await server.close();
  });
  beforeEach(async () => {
    rig = await openRig({ address: server.address });
  });
  afterEach(async () => {
    await rig.close();
  });

  /** The codes that streams have ended with. */
  function streamEnds(): string[] {
    const streams = Object.entries(rig.delivery().status().streams);
    return streams.flatMap(([code, count]) => (count > 0 ? [code] : []));
  }

  async function revive(): Promise<void> {
    await sleep(200);
    await controls.restart();
  }

  for (const share of [0.3, 0.99]) {
    it(`F1: the server is killed after ${share * 100} % of a batch`, async () => {
      await rig.connect();
      const killed = new Promise<void>((resolve, reject) => {
        rig.proxy.resetAfterRequestBytes(TICKS * TICK_BYTES * share, () => {
          controls.kill().then(resolve, reject);
        });
      });
      rig.enqueue(TICKS);
      await killed;
      await revive();
      await rig.expectAllStored();
    });
  }

  it("F2: connections are refused for a while", async () => {
    await rig.connect();
    await rig.proxy.set({ kind: "refuse" });
    for (let i = 0; i < 20; i++) {
      rig.enqueue(1);
      await sleep(100);
    }
    await rig.proxy.set({ kind: "open" });
    await rig.expectAllStored();
    expect(rig.delivery().status().points).to.include({ collected: 63, written: 63 });
  });

  it("F4: the other side accepts connections and never speaks", async () => {
    await rig.proxy.set({ kind: "silent" });
    rig.start();
    rig.enqueue(5);
    await waitFor("it connects", () => rig.proxy.connections() > 0);
    const before = rig.proxy.connections();
    // Three calls of 10 s have to end first.
    await waitFor("the watchdog opens another channel", () => rig.proxy.connections() > before, 45_000);
    await rig.proxy.set({ kind: "open" });
    await rig.expectAllStored();
  });

  it("F6: two seconds of latency: one stream at a time, and no retry", async () => {
    await rig.connect();
    await rig.proxy.set({ kind: "slow", delayMs: 1000 });
    for (let i = 0; i < 20; i++) {
      rig.enqueue(1);
      await sleep(50);
    }
    await rig.acknowledged();
    await rig.proxy.set({ kind: "open" });
    await rig.expectAllStored();
    expect(streamEnds()).to.deep.equal(["OK"]);
  });

  it("F6: the way carries no batch of the backlog within the time of a stream", async () => {
    await rig.connect({ timing: { attemptDeadlineMs: 2000 } });
    // 900 rows: some 5 s.
    await rig.proxy.set({ kind: "narrow", bytesPerSec: 20_000 });
    rig.enqueue(TICKS);
    const missed = (): number => rig.delivery().status().streams["DEADLINE_EXCEEDED"] ?? 0;
    await waitFor("a stream is too slow", () => missed() > 0);
    // Ticks go on to come.
    for (let i = 0; i < 10; i++) {
      rig.enqueue(1);
      await sleep(500);
    }
    await rig.expectAllStored(60_000);
    expect(rig.delivery().status().points).to.include({ dropped: 0, rejected: 0, coalesced: 0 });
  });

  for (const bytes of [2000, 20_000, 60_000]) {
    it(`F7: the connection is reset after ${bytes} bytes of a batch`, async () => {
      await rig.connect();
      rig.proxy.resetAfterRequestBytes(bytes);
      rig.enqueue(TICKS);
      await rig.expectAllStored();
      expect(rig.proxy.connections()).to.equal(2);
    });
  }

  for (const bytes of [100, 4000, 12_000]) {
    it(`F7: the connection is reset after ${bytes} bytes of the replies`, async () => {
      await rig.connect();
      rig.proxy.resetAfterReplyBytes(bytes);
      rig.enqueue(TICKS);
      await rig.expectAllStored();
      expect(rig.proxy.connections()).to.equal(2);
    });
  }

  it("F7: the connection ends without a word (FIN)", async () => {
    await rig.connect();
    rig.proxy.finish();
    rig.enqueue(5);
    await rig.expectAllStored();
  });

  it("F8: the server stops gracefully while a stream is open, and starts again", async () => {
    await rig.connect();
    await rig.proxy.set({ kind: "slow", delayMs: 200 });
    rig.enqueue(TICKS);
    await waitFor("a stream is open", () => rig.delivery().status().points.inFlight > 0);
    await controls.stop();
    await rig.proxy.set({ kind: "open" });
    await controls.restart();
    await rig.expectAllStored();
  });

  it("F22: the event loop stands still for two seconds", async () => {
    await rig.connect();
    for (let i = 0; i < 3; i++) {
      rig.enqueue(20);
      await sleep(1);
      const untilMs = performance.now() + 2000;
      while (performance.now() < untilMs);
    }
    await rig.expectAllStored();
    expect(streamEnds()).to.deep.equal(["OK"]);
    expect(rig.delivery().status().points).to.include({ dropped: 0, rejected: 0 });
  });
});

describe("a server that hangs", function () {
  this.timeout(60_000);

  it("F5: is stopped for three seconds in the middle of a batch", async () => {
    const server = await startServerProcess();
    const rig = await openRig({ address: server.address });
    try {
      const delivery = await rig.connect({ timing: { attemptDeadlineMs: 3000 } });
      rig.proxy.resetAfterRequestBytes(20_000, () => {
        server.freeze();
      });
      rig.enqueue(TICKS);
      const stopped = present(delivery);
      await waitFor("deadlines are missed", () => (stopped.status().streams["DEADLINE_EXCEEDED"] ?? 0) >= 2);
      rig.enqueue(5);
      await sleep(1000);
      server.thaw();
      await rig.expectAllStored();
    } finally {
      await rig.close();
      await server.close();
    }
  });
});
