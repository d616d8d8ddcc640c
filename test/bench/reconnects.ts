/**
 * What reconnects leave behind: `npm run bench:reconnects -- --times 100`. Ten deliveries whose connections are reset
 * a hundred times each, about once a second, which is as fast as grpc-js connects again. Server and proxies are
 * processes of their own. Fails where handles or sockets are left, or where what is left of the memory after a
 * collection still grows after the first half.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { keepSmall } from "../../src/heap.js";
import { openRig, type Rig } from "../support/delivery-rig.js";
import { loadAddon } from "../../src/kernel/addon.js";
import { ownDescriptors } from "../support/own-descriptors.js";
import { packageRoot } from "../support/package-root.js";
import { present } from "../support/present.js";
import { startProxyProcess } from "../support/proxy-process.js";
import { startServerProcess } from "../support/server-process.js";
import { SILENT } from "../support/silent-log.js";
import { waitFor } from "../support/wait.js";

// As the sidecar does; before anything else takes memory.
keepSmall();

const RIGS = 10;
/** After a collection, from the first half to the end; code and fragments make -3 to 3 of runs of 1000 to 3000. */
const RISE_MAX_MB = 5;

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

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const server = await startServerProcess();
const proxies = startProxyProcess();
const rigs = await Promise.all(
  Array.from({ length: RIGS }, () =>
    openRig({ address: server.address, startProxy: (target) => proxies.start(target) }),
  ),
);
for (const rig of rigs) {
  // A connection that lasts a second outlives no replay window: all would be held and sent again each time.
  rig.start({ timing: { windowMs: 0 }, log: SILENT });
  rig.enqueue(1);
}
for (const rig of rigs) await rig.expectAllStored();
// As the sidecar does too, and from then on what is freed goes back to the system.
loadAddon(packageRoot).releaseStartMemory();
await sleep(1000);
const before = resources();
console.log("before", JSON.stringify(before));
const quarters: { readonly rssMb: number; readonly collectedMb: number }[] = [];
for (let quarter = 1; quarter <= 4; quarter++) {
  await Promise.all(
    rigs.map(async (rig) => {
      for (let i = 0; i < times / 4; i++) await breakAndMend(rig);
    }),
  );
  const { rssMb } = resources();
  collect();
  // What the collector frees beside its own heap, it frees later.
  await sleep(1000);
  quarters.push({ rssMb, collectedMb: resources().rssMb });
  console.log(`${quarter}/4`, JSON.stringify(quarters.at(-1)));
}
for (const rig of rigs) await rig.expectAllStored();
await sleep(1000);
const after = resources();
const made = rigs.reduce((sum, { proxy }) => sum + proxy.connections(), 0);
console.log(`after ${made} connections`, JSON.stringify(after));
const riseMb = present(quarters.at(-1)).collectedMb - present(quarters[1]).collectedMb;
const kinds = ["handles", "descriptors", "sockets"] as const;
const kept = riseMb <= RISE_MAX_MB && kinds.every((kind) => after[kind] <= before[kind]);
console.log(
  `rise in the second half, after collections, ${riseMb.toFixed(1)} MB (must be <= ${RISE_MAX_MB}), ` +
    `handles, descriptors and sockets as before: ${kept ? "kept" : "MISSED"}`,
);
if (!kept) process.exitCode = 1;
for (const rig of rigs) await rig.close();
await proxies.close();
await server.close();
