/**
 * How long it takes from an event in the kernel to a row that a query returns: `npm run bench:freshness`, as root. A
 * workload begins to read at a random moment of an interval, and the server is asked every 20 ms for its row.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { startLiveSidecar } from "../support/live-sidecar.js";
import { waitFor } from "../support/wait.js";

const { values } = parseArgs({
  options: { "interval-ms": { type: "string", default: "10000" }, rounds: { type: "string", default: "5" } },
});
const intervalMs = Number(values["interval-ms"]);
const server = await startBanyandbServer();
const delays: number[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const sidecar = await startLiveSidecar({ address: server.address, group: `fresh_${round}`, intervalMs });
  // The schema and the connection are there.
  await waitFor("a first row", () => (sidecar.agent.status().delivery?.points.written ?? 0) > 0, 60_000);
  await sleep(Math.random() * intervalMs);
  const readMs = performance.now();
  sidecar.begin();
  await waitFor(
    "the row of the read",
    async () => ((await sidecar.stored("page_cache")).sums["reads"] ?? 0) > 0,
    3 * intervalMs,
  );
  delays.push(performance.now() - readMs);
  await sidecar.finish();
}
await server.close();
const most = Math.max(...delays);
console.log(
  `interval ${intervalMs} ms: ${delays.map((ms) => (ms / 1000).toFixed(2)).join(", ")} s from read to row`,
);
console.log(`most ${(most / 1000).toFixed(2)} s (must be <= interval + 1 s)`);
process.exitCode = most <= intervalMs + 1000 ? 0 : 1;
