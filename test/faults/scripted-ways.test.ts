/** Broken ways, as they look from within the server (labels: docs/decisions/0007). All end with a query. */
import { expect } from "chai";
import { setTimeout as sleep } from "node:timers/promises";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { present } from "../support/present.js";
import { startScripted, type ScriptedBanyandb } from "../support/scripted-banyandb.js";
import { waitFor } from "../support/wait.js";

const TICKS = 300;

describe("broken ways, seen by the server", function () {
  this.timeout(90_000);

  let server: ScriptedBanyandb;
  let rig: Rig;

  beforeEach(async () => {
    server = await startScripted(2);
    rig = await openRig({ address: server.address });
  });
  afterEach(async () => {
    await rig.close();
    await server.close();
  });

  it("F1: the server is killed when it has stored a batch and acknowledged nothing", async () => {
    await rig.connect();
    const killed = new Promise<void>((resolve, reject) => {
      server.play({
        stored: () => {
          server.play({});
          server.controls.kill().then(resolve, reject);
        },
      });
    });
    rig.enqueue(TICKS);
    await killed;
    await sleep(200);
    await server.controls.restart();
    await rig.expectAllStored();
  });

  it("F3: nothing moves on a connection that stands", async () => {
    rig.start({ timing: { attemptDeadlineMs: 700 } });
    rig.enqueue(3);
    await rig.acknowledged();
    await rig.proxy.set({ kind: "silent" });
    rig.enqueue(5);
    await waitFor(
      "two deadlines are missed",
      () => (rig.delivery().status().streams["DEADLINE_EXCEEDED"] ?? 0) >= 2,
    );
    // What was held is lost for good: only another connection helps.
    const before = rig.proxy.connections();
    await waitFor("another connection is tried", () => rig.proxy.connections() > before);
    await rig.proxy.set({ kind: "open" });
    await rig.expectAllStored();
    expect(server.mostAtOnce()).to.be.at.most(2);
  });

  it("F6: a way of 10 kB/s: ticks are taken on time, and nothing is sent twice", async () => {
    await rig.connect();
    await rig.proxy.set({ kind: "narrow", bytesPerSec: 10_000 });
    const streams = server.streams();
    let slowestMs = 0;
    for (let i = 0; i < 30; i++) {
      const beforeMs = performance.now();
      rig.enqueue(2);
      slowestMs = Math.max(slowestMs, performance.now() - beforeMs);
      await sleep(50);
    }
    expect(slowestMs).to.be.below(50);
    await rig.expectAllStored();
    expect(server.mostAtOnce()).to.equal(1);
    expect(server.streams() - streams).to.be.at.most(40);
    expect(rig.delivery().status().points.resent).to.equal(0);
  });

  it("F8: of two liaisons one is drained (GOAWAY); the other takes over at once", async () => {
    await rig.close();
    const endpoints = server.addresses;
    rig = await openRig({ address: present(endpoints[1]), banyandb: { endpoints } });
    rig.start();
    rig.enqueue(3);
    await rig.acknowledged();
    const drained = server.drain(0);
    const beganMs = performance.now();
    rig.enqueue(3);
    await rig.acknowledged();
    expect(performance.now() - beganMs).to.be.below(2000);
    await drained;
    await rig.expectAllStored();
    expect(rig.delivery().status().sink.address).to.equal(server.addresses[1]);
  });
});
