/**
 * A fleet of sidecars and one server that restarts: `npm run bench:fleet [-- --sidecars 1000 --away 60]`. Each is a
 * whole delivery with a connection of its own, at the phase of its name, one row every 10 s. Prints streams per second
 * after the restart, and compares what each has sent with what a query returns; exits 1 where the fleet storms or a
 * count is wrong. Against a `banyand` in PATH, else the embedded server.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createDelivery, type Delivery } from "../../src/banyandb/delivery.js";
import { readBack } from "../../src/banyandb/read-back.js";
import { openTransport } from "../../src/banyandb/transport.js";
import type { BanyandbConfig } from "../../src/config/config.js";
import { untilTickMs } from "../../src/model/phase.js";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { present } from "../support/present.js";
import { CACHE, SCHEMA, tickAt } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";
import { SILENT } from "../support/silent-log.js";
import { plainConfig } from "../support/banyandb-config.js";

const { values } = parseArgs({
  options: { sidecars: { type: "string", default: "1000" }, away: { type: "string", default: "60" } },
});
const sidecars = Number(values.sidecars);
const INTERVAL_MS = 10_000;
const BEFORE_MS = 40_000;
/** After this the herd must be none any more. */
const CALM_AFTER_MS = 120_000;
const COUNTED_MS = 60_000;
const PEAK_TO_MEAN = 1.5;
/** The replay window, and one more answer. */
const REPLAYED_MS = 30_000;

interface Sidecar {
  readonly node: string;
  readonly delivery: Delivery;
  sum: number;
}

const server = await startBanyandbServer();
const controls = present(server.controls);
const config: BanyandbConfig = plainConfig(server.address, `fleet_${process.pid}`);
const fromMs = Date.now() - INTERVAL_MS;
/** When each write stream was opened. */
const opened: number[] = [];
const fleet: Sidecar[] = [];
let ticking = true;

/** A transport that tells of its streams. */
const open: typeof openTransport = (...args) => {
  const transport = openTransport(...args);
  return {
    ...transport,
    writeBatch(...batch) {
      opened.push(performance.now());
      return transport.writeBatch(...batch);
    },
  };
};

function start(n: number): void {
  const node = `host-${n}:17912`;
  const delivery = createDelivery({
    config: {
      banyandb: config,
      queue: { maxBytes: 1 << 20, maxAgeMs: 86_400_000 },
      delivery: { audit: false },
    },
    identity: [node, "test"],
    schema: SCHEMA,
    log: SILENT,
    open,
  });
  const sidecar: Sidecar = { node, delivery, sum: 0 };
  fleet.push(sidecar);
  const tick = (): void => {
    if (!ticking) return;
    const hit = 1 + Math.floor(Math.random() * 1000);
    sidecar.sum += hit;
    delivery.enqueue(tickAt(Date.now(), { hit, missed: 0 }));
    setTimeout(tick, untilTickMs(node, INTERVAL_MS, Date.now()));
  };
  setTimeout(tick, untilTickMs(node, INTERVAL_MS, Date.now()));
}

/** Streams per second: the most in any second, and the mean. */
function rate(beginMs: number, endMs: number): { peak: number; mean: number } {
  const seconds = new Array<number>(Math.round((endMs - beginMs) / 1000)).fill(0);
  for (const at of opened) {
    if (at < beginMs || at >= endMs) continue;
    const second = Math.floor((at - beginMs) / 1000);
    seconds[second] = (seconds[second] ?? 0) + 1;
  }
  return { peak: Math.max(...seconds), mean: seconds.reduce((sum, n) => sum + n, 0) / seconds.length };
}

function show(when: string, { peak, mean }: { peak: number; mean: number }): void {
  console.log(`${when}: peak ${peak}, mean ${mean.toFixed(1)}, ratio ${(peak / mean).toFixed(2)}`);
}

for (let n = 0; n < sidecars; n++) {
  start(n);
  if (n % 10 === 0) await sleep(INTERVAL_MS / (sidecars / 10));
}
await sleep(BEFORE_MS);
const beforeMs = performance.now();
await controls.kill();
await sleep(Number(values.away) * 1000);
await controls.restart();
const backMs = performance.now();
await sleep(CALM_AFTER_MS + COUNTED_MS);
const calmMs = backMs + CALM_AFTER_MS;
const calm = rate(calmMs, calmMs + COUNTED_MS);
console.log(
  `${sidecars} sidecars, ${server.kind} ${server.version} away for ${values.away} s; streams per second`,
);
show("before", rate(beforeMs - 20_000, beforeMs));
show("in the first minute", rate(backMs, backMs + 60_000));
show(`after 2 min (ratio must be <= ${PEAK_TO_MEAN})`, calm);
await sleep(REPLAYED_MS);
ticking = false;
await waitFor(
  "all is acknowledged",
  () =>
    fleet.every(({ delivery }) => delivery.status().points.queued + delivery.status().points.inFlight === 0),
  60_000,
);

const direct = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
let [sent, stored] = [0, 0];
const wrong: string[] = [];
for (const { node, sum, delivery } of fleet) {
  const { sums } = await readBack({
    transport: direct,
    group: config.group,
    groupSpec: SCHEMA.group,
    measure: CACHE,
    identity: [node],
    fromMs,
    toMs: Date.now() + INTERVAL_MS,
  });
  sent += sum;
  stored += sums["pages_hit"] ?? 0;
  if (sum !== sums["pages_hit"]) wrong.push(`${node}: ${sum} sent, ${sums["pages_hit"] ?? 0} stored`);
  delivery.abort();
}
console.log(`sent ${sent}, stored ${stored}`);
console.log(wrong.length === 0 ? "0 lost, 0 doubled, each by itself" : wrong.slice(0, 10).join("\n"));
process.exitCode = wrong.length > 0 || calm.peak / calm.mean > PEAK_TO_MEAN ? 1 : 0;
direct.close();
await server.close();
