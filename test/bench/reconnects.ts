/**
 * What reconnects leave behind: `npm run bench:reconnects -- --times 100`. Ten deliveries whose connections are reset
 * a hundred times each, about once a second, which is as fast as grpc-js connects again. Server and proxies are
 * processes of their own. Fails where sockets or handles are left, or where memory still grows after the first half.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { keepHeapSmall } from "../../src/heap.js";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { ownDescriptors } from "../support/own-descriptors.js";
import { present } from "../support/present.js";
import { startProxyProcess } from "../support/proxy-process.js";
import { startServerProcess } from "../support/server-process.js";
import { waitFor } from "../support/wait.js";

// As the sidecar does; before anything else takes memory.
keepHeapSmall();

const RIGS = 10;
/** Between the least of the second quarter and the least of the last: more is a leak, less is the collector. */
const RISE_MAX_MB = 3;

const { values } = parseArgs({ options: { times: { type: "string", default: "100" } } });
const times = Number(values.times);

interface Resources {
  readonly handles: number;
  readonly descriptors: number;
  readonly sockets: number;
  readonly rssMb: number;
}

function resources(): Resources {
  const { all, sockets } = ownDescriptors();
  return {
    handles: process.getActiveResourcesInfo().length,
    descriptors: all,
    sockets,
    rssMb: Math.round((process.memoryUsage.rss() / 2 ** 20) * 10) / 10,
  };
}

async function breakAndMend(rig: Rig): Promise<void> {
  const made = rig.proxy.connections();
  rig.proxy.reset();
  rig.enqueue(1);
  await waitFor("it is connected again", () => rig.proxy.connections() > made, 60_000);
  await rig.acknowledged(60_000);
}

/** Least of a quarter of the samples: the collector is at its end then. */
function leastMb(samples: readonly Resources[], quarter: number): number {
  const part = samples.slice((samples.length * quarter) / 4, (samples.length * (quarter + 1)) / 4);
  return Math.min(...part.map(({ rssMb }) => rssMb));
}

const server = await startServerProcess();
const proxies = startProxyProcess();
const rigs = await Promise.all(
  Array.from({ length: RIGS }, () =>
    openRig({ address: server.address, startProxy: (target) => proxies.start(target) }),
  ),
);
for (const rig of rigs) {
  rig.start();
  rig.enqueue(1);
}
for (const rig of rigs) await rig.expectAllStored();
await sleep(1000);
const before = resources();
console.log("before", JSON.stringify(before));
const samples: Resources[] = [];
await Promise.all(
  rigs.map(async (rig) => {
    for (let i = 0; i < times; i++) {
      await breakAndMend(rig);
      if (rig === rigs[0]) samples.push(resources());
    }
  }),
);
for (const rig of rigs) await rig.expectAllStored();
await sleep(1000);
const after = resources();
const made = rigs.reduce((sum, { proxy }) => sum + proxy.connections(), 0);
console.log(`after ${made} connections`, JSON.stringify(after));
const quarters = [0, 1, 2, 3].map((quarter) => leastMb(samples, quarter));
const riseMb = present(quarters[3]) - present(quarters[1]);
console.log(`least RSS of each quarter, MB: ${quarters.join(", ")}`);
const kept = riseMb <= RISE_MAX_MB && after.handles <= before.handles && after.sockets <= before.sockets;
console.log(
  `rise from the second to the last quarter ${riseMb.toFixed(1)} MB (must be <= ${RISE_MAX_MB}), ` +
    `handles, descriptors and sockets as before: ${kept ? "kept" : "MISSED"}`,
);
if (!kept) process.exitCode = 1;
for (const rig of rigs) await rig.close();
await proxies.close();
await server.close();
