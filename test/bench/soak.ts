/**
 * Delivery under random faults for as long as wanted: `npm run soak -- --minutes 60 [--seed 1]`. Ten ticks a second,
 * and in 1 % of them a fault begins that lasts for some ticks. Prints every minute, and at the end: slope of the
 * resident memory, handles, sockets, and the sums as a query tells them beside what was enqueued. Against a `banyand`
 * in PATH, else the embedded server; server and proxy are processes of their own. Fails where memory rises, where a
 * server says `too_many_pings`, or where a stream ended in a way that these faults do not explain.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { setLogger } from "@grpc/grpc-js";
import { keepSmall } from "../../src/heap.js";
import type { Log, LogFields } from "../../src/model/log.js";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { openRig } from "../support/delivery-rig.js";
import { expectLaws } from "../support/laws.js";
import { ownDescriptors } from "../support/own-descriptors.js";
import { startProxyProcess } from "../support/proxy-process.js";
import { startServerProcess } from "../support/server-process.js";
import { seededRandom } from "../support/ticks.js";

// As the sidecar does; before anything else takes memory.
keepSmall();

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "60" }, seed: { type: "string", default: "1" } },
});
const minutes = Number(values.minutes);
const random = seededRandom(Number(values.seed));
const TICK_MS = 100;
const FAULT_SHARE = 0.01;
const REPORT_MS = Math.min(60_000, (minutes * 60_000) / 6);
/** Start-up, and what the compiler and the caches take, is over after this share of the run. */
const WARM_UP_SHARE = 0.2;
/** What the fit over an hour without a leak may have by chance; a short run tells nothing. */
const SLOPE = { maxMbPerHour: 1.5, leastMinutes: 30 };
/** How streams end that are cut, refused, too slow, or of a server that forgot the schema. */
const EXPLAINED = new Set(["OK", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "INTERNAL", "NOT_FOUND"]);

interface Target {
  readonly name: string;
  readonly address: string;
  bounce(how: "stop" | "kill"): Promise<void>;
  close(): Promise<void>;
}

async function startTarget(): Promise<Target> {
  const real = await startBanyandbServer();
  if (real.kind === "banyand" && real.controls) {
    const { controls, address, version } = real;
    const bounce = async (how: "stop" | "kill"): Promise<void> => {
      await controls[how]();
      await controls.restart();
    };
    return { name: `banyand ${version}`, address, bounce, close: () => real.close() };
  }
  await real.close();
  const own = await startServerProcess();
  return {
    name: "the embedded server in its own process",
    address: own.address,
    bounce: (how) => own.bounce(how),
    close: () => own.close(),
  };
}

interface Sample {
  readonly atMs: number;
  readonly rssMb: number;
  readonly handles: number;
  readonly sockets: number;
}

/** The least of each minute: what the collector leaves over. */
function minutely(samples: readonly Sample[]): Sample[] {
  const least = new Map<number, Sample>();
  for (const one of samples) {
    const minute = Math.floor(one.atMs / 60_000);
    const known = least.get(minute);
    if (!known || one.rssMb < known.rssMb) least.set(minute, one);
  }
  return [...least.values()];
}

/** Least squares, in MB per hour. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [meanMs, meanMb] = [mean(({ atMs }) => atMs), mean(({ rssMb }) => rssMb)];
  const covariance = mean(({ atMs, rssMb }) => (atMs - meanMs) * (rssMb - meanMb));
  return (covariance / mean(({ atMs }) => (atMs - meanMs) ** 2)) * 3_600_000;
}

const target = await startTarget();
const proxies = startProxyProcess();
const rig = await openRig({
  address: target.address,
  stepMs: TICK_MS,
  startProxy: (server) => proxies.start(server),
});
/** What went wrong, by its text without numbers, as of ports. */
const reasons = new Map<string, number>();
const delivery = rig.start({ timing: { paceMs: 1000, attemptDeadlineMs: 3000 }, log: reasonsInto(reasons) });
let pings = 0;
// The only way in which grpc-js tells of a GOAWAY too_many_pings.
setLogger({ ...console, error: countPings });
const faults: Record<string, number> = {};
const beganMs = performance.now();
const samples: Sample[] = [];
let bouncing: Promise<void> = Promise.resolve();
let reportAtMs = REPORT_MS;
let healAtTick = 0;

function reasonsInto(found: Map<string, number>): Log {
  const note = (message: string, fields?: LogFields): void => {
    const { code, reason } = fields ?? {};
    if (code === undefined) return;
    const text = `${message}: ${String(code)}, ${String(reason)}`.replace(/\d+/g, "N");
    found.set(text, (found.get(text) ?? 0) + 1);
  };
  const throttled: Log["throttled"] = (_cause, message, fields) => {
    note(message, fields);
  };
  return { debug: note, info: note, warn: note, error: note, throttled };
}

function countPings(...line: unknown[]): void {
  if (line.join(" ").includes("excess pings")) pings++;
  console.error(...line);
}

function sample(): Sample {
  return {
    atMs: performance.now() - beganMs,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
    handles: process.getActiveResourcesInfo().length,
    sockets: ownDescriptors().sockets,
  };
}

async function fault(tick: number): Promise<void> {
  const kinds = ["reset", "refuse", "silent", "slow", "kill", "stop", "cut request", "cut replies"] as const;
  const kind = kinds[Math.floor(random() * kinds.length)] ?? "reset";
  faults[kind] = (faults[kind] ?? 0) + 1;
  healAtTick = tick + 1 + Math.floor(random() * 30);
  switch (kind) {
    case "reset":
      rig.proxy.reset();
      return;
    case "cut request":
      rig.proxy.resetAfterRequestBytes(random() * 2000);
      return;
    case "cut replies":
      rig.proxy.resetAfterReplyBytes(random() * 500);
      return;
    case "kill":
    case "stop":
      bouncing = bouncing.then(() => target.bounce(kind));
      return;
    case "slow":
      await rig.proxy.set({ kind, delayMs: random() * 500 });
      return;
    case "refuse":
    case "silent":
      await rig.proxy.set({ kind });
  }
}

function report({ rssMb, handles, sockets }: Sample): void {
  const { collected, written, queued, resent } = delivery.status().points;
  console.log(
    `${((performance.now() - beganMs) / 60_000).toFixed(1)} min: RSS ${rssMb.toFixed(1)} MB, ${handles} handles, ` +
      `${sockets} sockets, points ${collected} collected, ${written} written, ${queued} queued, ${resent} sent again`,
  );
}

console.log(`soak of ${minutes} min against ${target.name}, seed ${values.seed}`);
for (let tick = 0; performance.now() - beganMs < minutes * 60_000; tick++) {
  rig.enqueue(1);
  expectLaws(delivery);
  if (tick === healAtTick) await rig.proxy.set({ kind: "open" });
  if (tick > healAtTick && random() < FAULT_SHARE) await fault(tick);
  if (performance.now() - beganMs > reportAtMs) {
    reportAtMs += REPORT_MS;
    report(sample());
  }
  if (tick % 50 === 0) samples.push(sample());
  await sleep(Math.max(0, (tick + 1) * TICK_MS - (performance.now() - beganMs)));
}
await bouncing;
rig.proxy.resetAfterRequestBytes(Number.POSITIVE_INFINITY);
rig.proxy.resetAfterReplyBytes(Number.POSITIVE_INFINITY);
await rig.proxy.set({ kind: "open" });
await rig.expectAllStored(180_000);
const settled = samples.filter(({ atMs }) => atMs > WARM_UP_SHARE * minutes * 60_000);
const most = (of: (one: Sample) => number): number => Math.max(...settled.map(of));
const end = sample();
const ends = Object.fromEntries(Object.entries(delivery.status().streams).filter(([, count]) => count > 0));
console.log(`faults: ${JSON.stringify(faults)}`);
console.log(`streams by their end: ${JSON.stringify(ends)}`);
const rise = slope(minutely(settled));
const rises = minutes >= SLOPE.leastMinutes && rise > SLOPE.maxMbPerHour;
console.log(
  `RSS slope ${rise.toFixed(2)} MB/h (must be <= ${SLOPE.maxMbPerHour}, from ${SLOPE.leastMinutes} min on), ` +
    `most ${most(({ rssMb }) => rssMb).toFixed(1)} MB`,
);
const unexplained = Object.keys(ends).filter((code) => !EXPLAINED.has(code));
console.log(
  `GOAWAY too_many_pings: ${pings} (must be 0); not explained: ${unexplained.join(", ") || "none"}`,
);
for (const [reason, count] of reasons) console.log(`  ${count} times: ${reason}`);
console.log(
  `handles ${end.handles} (most ${most(({ handles }) => handles)}), ` +
    `sockets ${end.sockets} (most ${most(({ sockets }) => sockets)}, those of the test included)`,
);
console.log(`enqueued ${JSON.stringify(rig.truth())}`);
console.log(`stored   ${JSON.stringify(await rig.storedTruth())}`);
if (rises || pings > 0 || unexplained.length > 0) process.exitCode = 1;
await rig.close();
await proxies.close();
await target.close();
