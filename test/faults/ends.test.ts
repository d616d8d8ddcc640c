/** The end of the sidecar with a backlog (docs/decisions/0007). */
import { expect } from "chai";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { startScripted, type ScriptedBanyandb } from "../support/scripted-banyandb.js";

describe("the end of a sidecar", function () {
  this.timeout(60_000);

  let server: ScriptedBanyandb;
  let rig: Rig;

  beforeEach(async () => {
    server = await startScripted();
    rig = await openRig({ address: server.address });
  });
  afterEach(async () => {
    await rig.close();
    await server.close();
  });

  async function stop(deadlineMs: number): Promise<number> {
    const beganMs = performance.now();
    await rig.delivery().stop(deadlineMs);
    return performance.now() - beganMs;
  }

  it("F16, I10: server up: all of the backlog is delivered", async () => {
    await rig.proxy.set({ kind: "refuse" });
    rig.start();
    rig.enqueue(200);
    await rig.proxy.set({ kind: "open" });
    expect(await stop(10_000)).to.be.below(10_000);
    expect(rig.delivery().status().points).to.include({ collected: 600, written: 600, queued: 0 });
    expect(await rig.storedTruth()).to.deep.equal(rig.truth());
  });

  it("F16, I10: server down: ends at the deadline and says what is left", async () => {
    await rig.proxy.set({ kind: "refuse" });
    rig.start();
    rig.enqueue(50);
    expect(await stop(800)).to.be.within(700, 4000);
    expect(rig.delivery().status().points).to.include({
      collected: 150,
      written: 0,
      queued: 150,
      inFlight: 0,
    });
  });

  it("F16, I10: server hung: ends at the deadline, the newest tick had its chance", async () => {
    await rig.connect();
    await rig.proxy.set({ kind: "silent" });
    rig.enqueue(50);
    expect(await stop(800)).to.be.within(700, 4000);
    const { collected, written, queued, inFlight } = rig.delivery().status().points;
    expect({ collected, written, left: queued + inFlight }).to.deep.equal({
      collected: 153,
      written: 3,
      left: 150,
    });
  });

  it("F16: the server comes back while the sidecar ends", async () => {
    rig.start();
    rig.enqueue(5);
    await rig.acknowledged();
    await server.controls.kill();
    rig.enqueue(100);
    const stopping = stop(10_000);
    await server.controls.restart();
    expect(await stopping).to.be.below(10_000);
    expect(await rig.storedTruth()).to.deep.equal(rig.truth());
  });
});
