/**
 * What a full queue costs: `npm run bench:queue`. The queue of the default size is filled twice over while nobody
 * listens, with ticks of 200 points of the widest measure; then everything is delivered.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createDelivery } from "../../src/banyandb/delivery.js";
import { keepSmall } from "../../src/heap.js";
import { startSystemTimer } from "../../src/banyandb/timers.js";
import { readSchema } from "../../src/config/schema-files.js";
import { makeSample, tickBytes, tickVersion, type Tick } from "../../src/model/tick.js";
import { startFaultProxy } from "../support/fault-proxy.js";
import { present } from "../support/present.js";
import { startServerProcess } from "../support/server-process.js";
import { waitFor } from "../support/wait.js";
import { SILENT } from "../support/silent-log.js";
import { plainConfig } from "../support/banyandb-config.js";

// As main.ts does.
keepSmall();

const MIB = 2 ** 20;
const MAX_BYTES = 32 * MIB;
const POINTS = 200;
/** The clock of the delivery runs so much faster, or its gaps between attempts would take most of the time. */
const HASTE = 50;

const schema = readSchema();
const anchorMs = Date.now() - performance.now() * HASTE;
const measure = present([...schema.measures].sort((a, b) => b.fields.length - a.fields.length)[0]);
const server = await startServerProcess();
const proxy = await startFaultProxy(server.address);
const delivery = createDelivery({
  config: {
    banyandb: plainConfig(proxy.address, "memory"),
    queue: { maxBytes: MAX_BYTES, maxAgeMs: 7 * 86_400_000 },
    delivery: { audit: false },
  },
  identity: ["bench:17912", "n/a", "n/a", "n/a"],
  schema,
  log: SILENT,
  clock: () => ({ wallMs: anchorMs + performance.now() * HASTE, monotonicMs: performance.now() * HASTE }),
  startTimer: (action, delayMs) => startSystemTimer(action, delayMs / HASTE),
});

let ticks = 0;
const beganMs = Date.now() - 86_400_000;
function tick(): Tick {
  const timestampMs = beganMs + ++ticks * 100;
  const samples = Array.from({ length: POINTS }, (_, i) =>
    makeSample(measure, [], () => i * 1000 + (ticks % 1000)),
  );
  return { timestampMs, version: tickVersion(timestampMs, ticks), intervalMs: 100, samples };
}
const rssMb = (): number => process.memoryUsage.rss() / MIB;
const delivered = (): Promise<void> =>
  waitFor(
    "all is delivered",
    () => {
      const { queued, inFlight } = delivery.status().points;
      return queued + inFlight === 0;
    },
    300_000,
  );

// Connected, compiled and warm: what a sidecar is before its first outage.
for (let i = 0; i < 30; i++) {
  delivery.enqueue(tick());
  await sleep(20);
}
await delivered();
const baseMb = rssMb();
await proxy.set({ kind: "refuse" });
let mostMb = 0;
const total = Math.ceil((2 * MAX_BYTES) / tickBytes(tick()));
for (let i = 0; i < total; i++) {
  delivery.enqueue(tick());
  await sleep(2);
  mostMb = Math.max(mostMb, rssMb());
}
const { queueBytes, points } = delivery.status();
console.log(
  `queue ${(queueBytes / MIB).toFixed(1)} MiB of ${MAX_BYTES / MIB}, ${points.coalesced} points merged`,
);
console.log(`RSS before ${baseMb.toFixed(1)} MiB, full ${rssMb().toFixed(1)}, most ${mostMb.toFixed(1)}`);
console.log(`growth ${(mostMb - baseMb).toFixed(1)} MiB (must be <= 64)`);
await proxy.set({ kind: "open" });
await delivered();
console.log(`RSS after delivery ${rssMb().toFixed(1)} MiB`);

delivery.abort();
await proxy.close();
await server.close();
