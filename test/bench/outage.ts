/**
 * An outage: `npm run bench:outage -- --minutes 5`. Connections are refused for so long while a tick comes every 10 s;
 * prints how soon after it a fresh row is stored, when all is, and the sums as a query returns them; exits 1 where they
 * or a time are wrong. Against a `banyand` in PATH, else the embedded server.
 *
 *   --speed 60          time passes so much faster during the outage; its ticks lie in the past
 *   --queue-ticks 1000  room for so many
 *   --max-age-hours 12  what is older is given up
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { tickBytes } from "../../src/model/tick.js";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { openRig } from "../support/delivery-rig.js";
import { createScaledTime } from "../support/scaled-time.js";
import { CACHE, tickAt } from "../support/ticks.js";
import { waitFor } from "../support/wait.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    speed: { type: "string", default: "1" },
    "queue-ticks": { type: "string" },
    "max-age-hours": { type: "string" },
  },
});
const outageMs = Number(values.minutes) * 60_000;
const speed = Number(values.speed);
const TICK_MS = 10_000;
const BEFORE_MS = 25_000;
/** How long ago the last ticks are. */
const MARGIN_MS = 120_000;
const WITHIN_MS = 120_000;
const FRESH_MS = 20_000;
const DRAINED_MS = 60_000;
const WIDEST_MS = 300_000;

const tickSize = tickBytes(tickAt(1, { hit: 1, missed: 1, reads: { data: 1, index: 1 } }));
const queueTicks = values["queue-ticks"];
const maxAgeHours = values["max-age-hours"];
const server = await startBanyandbServer();
// The last tick must not lie in the future, which no server may see.
const beganMs = Date.now() - MARGIN_MS - (speed > 1 ? outageMs : 0);
const rig = await openRig({
  address: server.address,
  stepMs: TICK_MS,
  beganMs,
  queue: {
    ...(queueTicks !== undefined && { maxBytes: Number(queueTicks) * tickSize }),
    ...(maxAgeHours !== undefined && { maxAgeMs: Number(maxAgeHours) * 3_600_000 }),
  },
});
// A row of that time vouches for a clock that is behind (docs/decisions/0006).
await rig.connect();
await rig.delivery().stop(1000);

const startMs = rig.beganMs + 2 * TICK_MS;
const time = createScaledTime(startMs);
const delivery = rig.start({ clock: time.clock, startTimer: time.startTimer, timing: { paceMs: 1000 } });
let ticks = 0;
let ticking = true;
/** By the time since the start: a timer that is late must not make the outage shorter. */
const planTick = (): void => {
  const dueMs = startMs + (ticks + 1) * TICK_MS - time.clock().wallMs;
  time.startTimer(() => {
    if (!ticking) return;
    rig.enqueue(1);
    ticks++;
    planTick();
  }, dueMs);
};
planTick();
await sleep(BEFORE_MS);
await rig.proxy.set({ kind: "refuse" });
time.setRate(speed);
await sleep(outageMs / speed);
time.setRate(1);
const { queued, collected } = delivery.status().points;
const newestMs = rig.beganMs + (1 + collected / 3) * TICK_MS;
await rig.proxy.set({ kind: "open" });
const backMs = performance.now();
const sinceBack = async (what: string, condition: () => boolean): Promise<number> => {
  await waitFor(what, condition, WITHIN_MS);
  return performance.now() - backMs;
};
const freshMs = await sinceBack(
  "a fresh row is stored",
  () => (delivery.status().lastWrittenTimestampMs ?? 0) >= newestMs,
);
const drainedMs = await sinceBack("the backlog is stored", () => delivery.status().points.queued <= 3);
ticking = false;
await rig.acknowledged();
// What the server had acknowledged just before the outage is sent once more.
await sleep(1000);

const { points } = delivery.status();
const { dropped } = delivery.totals();
const { rows } = await rig.stored(CACHE);
const stored = await rig.storedTruth();
const lost = {
  hit: dropped["cache.pages_hit"] ?? 0,
  missed: dropped["cache.pages_missed"] ?? 0,
  reads: dropped["part.reads"] ?? 0,
};
const truth = rig.truth();
const names = ["hit", "missed", "reads"] as const;
const wrong = names.filter((name) => truth[name] !== stored[name] + lost[name]);
const widestMs = Math.max(...rows.map(({ fields }) => fields["interval_ms"] ?? 0));
console.log(
  `outage of ${values.minutes} min in ${(outageMs / speed / 1000).toFixed(0)} s, ` +
    `${collected / 3} ticks until its end, ${queued / 3} waited`,
);
console.log(`fresh row after ${(freshMs / 1000).toFixed(1)} s (must be <= ${FRESH_MS / 1000})`);
console.log(`drained after ${(drainedMs / 1000).toFixed(1)} s (must be <= ${DRAINED_MS / 1000})`);
console.log(`${rows.length} rows, the widest of ${widestMs / 1000} s (must be <= ${WIDEST_MS / 1000})`);
console.table(
  Object.fromEntries(
    names.map((name) => [name, { enqueued: truth[name], stored: stored[name], dropped: lost[name] }]),
  ),
);
console.log(JSON.stringify(points));
console.log(wrong.length === 0 ? "0 lost but what is told, 0 doubled" : `DIFFERENT: ${wrong.join(", ")}`);
const late = freshMs > FRESH_MS || drainedMs > DRAINED_MS || widestMs > WIDEST_MS;
process.exitCode = wrong.length > 0 || late ? 1 : 0;
await rig.close();
await server.close();
