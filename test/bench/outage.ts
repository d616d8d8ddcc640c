/**
 * An outage in real time: `npm run bench:outage -- --minutes 5`. Connections are refused for so long while a tick
 * comes every second; prints how soon a fresh row is stored, when all is, and whether the sums agree. Against a
 * `banyand` in PATH, else the embedded server.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { openRig } from "../support/delivery-rig.js";
import { waitFor } from "../support/wait.js";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "5" } } });
const outageMs = Number(values.minutes) * 60_000;
const TICK_MS = 1000;
const BEFORE_MS = 10_000;
const WITHIN_MS = 120_000;

const server = await startBanyandbServer();
const rig = await openRig({ address: server.address, stepMs: TICK_MS });
rig.start({ timing: { paceMs: 1000 } });
const ticks = setInterval(() => {
  rig.enqueue(1);
}, TICK_MS);
await sleep(BEFORE_MS);
await rig.proxy.set({ kind: "refuse" });
await sleep(outageMs);
const { queued } = rig.delivery().status().points;
const writtenBefore = rig.delivery().status().lastWrittenTimestampMs ?? 0;
await rig.proxy.set({ kind: "open" });
const backMs = performance.now();
await waitFor(
  "a fresh row is stored",
  () => (rig.delivery().status().lastWrittenTimestampMs ?? 0) > writtenBefore + outageMs - 2 * TICK_MS,
  WITHIN_MS,
);
const freshMs = performance.now() - backMs;
await waitFor("the backlog is stored", () => rig.delivery().status().points.queued <= 3, WITHIN_MS);
const drainedMs = performance.now() - backMs;
clearInterval(ticks);
await rig.expectAllStored();
const { points } = rig.delivery().status();
console.log(`outage of ${values.minutes} min, ${queued} points waited`);
console.log(`fresh row after ${(freshMs / 1000).toFixed(1)} s (must be <= 20)`);
console.log(`drained after ${(drainedMs / 1000).toFixed(1)} s (must be <= 60)`);
console.log(`stored as enqueued, by query: ${JSON.stringify(await rig.storedTruth())}`);
console.log(JSON.stringify(points));
await rig.close();
await server.close();
