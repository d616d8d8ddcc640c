/** F18: the name of the server comes to mean other addresses (docs/decisions/0007). Ends with a query. */
import { expect } from "chai";
import dns from "node:dns";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { startScripted, type ScriptedBanyandb } from "../support/scripted-banyandb.js";
import { waitFor } from "../support/wait.js";

const NAME = "liaisons.example";
const RECYCLE_MS = 1500;

/** A server at one address of the name. */
interface Place {
  readonly port: number;
  connections(): number;
  close(): Promise<void>;
}

describe("a name with other addresses", function () {
  this.timeout(60_000);

  const { lookup } = dns.promises;
  let addresses: string[];
  let lookups: number;
  let server: ScriptedBanyandb;
  let rig: Rig;
  let first: Place;
  let second: Place;

  async function openPlace(host: string, port: number): Promise<Place> {
    const [targetHost = "", targetPort = ""] = server.address.split(":");
    const sockets = new Set<Socket>();
    let made = 0;
    const place: Server = createServer((socket) => {
      made++;
      const onward = connect(Number(targetPort), targetHost);
      for (const end of [socket, onward]) {
        sockets.add(end);
        // The other end is closed with it.
        end.on("error", () => undefined);
        end.on("close", () => {
          socket.destroy();
          onward.destroy();
        });
      }
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => place.listen(port, host, resolve));
    return {
      port: (place.address() as AddressInfo).port,
      connections: () => made,
      close: () =>
        new Promise((resolve) => {
          place.close(() => {
            resolve();
          });
          for (const socket of sockets) socket.destroy();
        }),
    };
  }

  beforeEach(async () => {
    [addresses, lookups] = [["127.0.0.1"], 0];
    // What grpc-js resolves a name by (its resolver-dns.ts).
    dns.promises.lookup = (() => {
      lookups++;
      return Promise.resolve(addresses.map((address) => ({ address, family: 4 })));
    }) as unknown as typeof lookup;
    server = await startScripted();
    first = await openPlace("127.0.0.1", 0);
    second = await openPlace("127.0.0.2", first.port);
    rig = await openRig({ address: server.address, banyandb: { endpoints: [`${NAME}:${first.port}`] } });
    rig.start({ timing: { recycleMs: RECYCLE_MS } });
    rig.enqueue(3);
    await rig.acknowledged();
  });
  afterEach(async () => {
    dns.promises.lookup = lookup;
    await rig.close();
    await Promise.all([first.close(), second.close()]);
    await server.close();
  });

  it("F18: a new address is used within the age at which a connection is left", async () => {
    expect(second.connections()).to.equal(0);
    addresses = ["127.0.0.2"];
    const ticks = setInterval(() => {
      rig.enqueue(1);
    }, 100);
    try {
      await waitFor("the new address is used", () => second.connections() > 0, 2 * RECYCLE_MS);
    } finally {
      clearInterval(ticks);
    }
    await rig.expectAllStored();
  });

  it("F18: a removed address is left at once, and the name is asked again", async () => {
    addresses = ["127.0.0.2"];
    const before = lookups;
    await first.close();
    const beganMs = performance.now();
    rig.enqueue(5);
    await rig.acknowledged();
    expect(performance.now() - beganMs).to.be.below(10_000);
    expect(lookups).to.be.above(before);
    expect(second.connections()).to.be.at.least(1);
    await rig.expectAllStored();
  });
});
