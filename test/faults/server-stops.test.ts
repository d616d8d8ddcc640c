/**
 * Stops of the server at the moments when it forgets what it acknowledged: against a real BanyanDB where there is
 * one (BANYANDB_ADDR does not do, since it must be ours to stop; a `banyand` in PATH does), else the embedded one.
 * Times are shares of the server's flush interval, 0.2 s, 2 s and 4 s of a real one.
 */
import { expect } from "chai";
import { setTimeout as sleep } from "node:timers/promises";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { present } from "../support/present.js";
import { waitFor } from "../support/wait.js";

const SHARES = [0.04, 0.4, 0.8] as const;
const DOWN_MS = 300;

describe("stops of the server", function () {
  this.timeout(180_000);

  let server: BanyandbServer;
  let rig: Rig;

  before(async () => {
    server = await startBanyandbServer();
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

  async function stopAndStart(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const controls = present(server.controls);
    await (signal === "SIGKILL" ? controls.kill() : controls.stop());
    await sleep(DOWN_MS);
    await controls.restart();
  }

  for (const [label, signal] of [
    ["F1", "SIGKILL"],
    ["F8", "SIGTERM"],
  ] as const) {
    for (const share of SHARES) {
      it(`${label}: ${signal} ${share} of a flush interval after the acknowledgements`, async () => {
        rig.start();
        rig.enqueue(2);
        // Older than any flush, so that the schema is not at stake here.
        await rig.acknowledged();
        await sleep(2 * server.flushMs);
        rig.enqueue(20);
        await rig.acknowledged();
        await sleep(share * server.flushMs);
        await stopAndStart(signal);
        await rig.expectAllStored();
        expect(rig.delivery().status().points.resent).to.be.at.least(60);
      });
    }

    it(`${label}, F23: ${signal} right after the schema was created`, async () => {
      rig.start();
      rig.enqueue(20);
      await waitFor("the schema is there", () => rig.delivery().status().schema.state === "ready");
      await stopAndStart(signal);
      await rig.expectAllStored();
    });

    it(`${label}: ${signal} under continuous writes, three times`, async () => {
      rig.start();
      const writing = new AbortController();
      const write = async (): Promise<void> => {
        while (!writing.signal.aborted) {
          rig.enqueue(1);
          await sleep(50);
        }
      };
      const written = write();
      const reached = async (): Promise<void> => {
        const { written: before } = rig.delivery().status().points;
        await waitFor("some are written", () => rig.delivery().status().points.written > before + 10);
      };
      for (const share of SHARES) {
        await reached();
        await sleep(share * server.flushMs);
        await stopAndStart(signal);
      }
      await reached();
      writing.abort();
      await written;
      await rig.expectAllStored();
    });
  }
});
