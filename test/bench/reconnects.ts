/**
 * What 1000 reconnects leave behind: `npm run bench:reconnects`. Ten deliveries whose connections are reset a hundred
 * times each, about once a second, which is as fast as grpc-js connects again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startServerProcess } from "../support/server-process.js";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { waitFor } from "../support/wait.js";

const RIGS = 10;
const TIMES = 100;

function resources(): { handles: number; sockets: number; rssMb: number } {
  const all = process.getActiveResourcesInfo();
  return {
    handles: all.length,
    sockets: all.filter((name) => name.startsWith("TCPSocket")).length,
    rssMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
  };
}

async function breakAndMend(rig: Rig): Promise<void> {
  const made = rig.proxy.connections();
  rig.proxy.reset();
  rig.enqueue(1);
  await waitFor("it is connected again", () => rig.proxy.connections() > made, 60_000);
  await rig.acknowledged(60_000);
}

const server = await startServerProcess();
const rigs = await Promise.all(Array.from({ length: RIGS }, () => openRig({ address: server.address })));
for (const rig of rigs) {
  rig.start();
  rig.enqueue(1);
}
for (const rig of rigs) await rig.expectAllStored();
await sleep(1000);
console.log("before", JSON.stringify(resources()));
await Promise.all(
  rigs.map(async (rig) => {
    for (let i = 0; i < TIMES; i++) await breakAndMend(rig);
  }),
);
for (const rig of rigs) await rig.expectAllStored();
await sleep(1000);
const made = rigs.reduce((sum, { proxy }) => sum + proxy.connections(), 0);
console.log(`after ${made} connections`, JSON.stringify(resources()));
for (const rig of rigs) await rig.close();
await server.close();
