/**
 * Delivery under random faults for as long as wanted: `npm run soak -- --minutes 60 [--seed 1]`. Ten ticks a second,
 * and in 1 % of them a fault begins that lasts for some ticks. Prints every minute, and at the end: slope of the
 * resident memory, handles, sockets, and the sums as a query tells them beside what was enqueued. Against a `banyand`
 * in PATH, else the embedded server in a process of its own.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { openRig } from "../support/delivery-rig.js";
import { expectLaws } from "../support/laws.js";
import { startServerProcess } from "../support/server-process.js";
import { seededRandom } from "../support/ticks.js";

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

/** Least squares, in MB per hour. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [meanMs, meanMb] = [mean(({ atMs }) => atMs), mean(({ rssMb }) => rssMb)];
  const covariance = mean(({ atMs, rssMb }) => (atMs - meanMs) * (rssMb - meanMb));
  return (covariance / mean(({ atMs }) => (atMs - meanMs) ** 2)) * 3_600_000;
}

const target = await startTarget();
const rig = await openRig({ address: target.address, stepMs: TICK_MS });
const delivery = rig.start({ timing: { paceMs: 1000, attemptDeadlineMs: 3000 } });
const faults: Record<string, number> = {};
const beganMs = performance.now();
const samples: Sample[] = [];
let bouncing: Promise<void> = Promise.resolve();
let reportAtMs = REPORT_MS;
let healAtTick = 0;

function sample(): Sample {
  const resources = process.getActiveResourcesInfo();
  return {
    atMs: performance.now() - beganMs,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
    handles: resources.length,
    sockets: resources.filter((name) => name.startsWith("TCPSocket")).length,
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
console.log(`faults: ${JSON.stringify(faults)}`);
console.log(`streams by their end: ${JSON.stringify(delivery.status().streams)}`);
console.log(`RSS slope ${slope(settled).toFixed(2)} MB/h, most ${most(({ rssMb }) => rssMb).toFixed(1)} MB`);
console.log(
  `handles ${end.handles} (most ${most(({ handles }) => handles)}), ` +
    `sockets ${end.sockets} (most ${most(({ sockets }) => sockets)}, proxy and test included)`,
);
console.log(`enqueued ${JSON.stringify(rig.truth())}`);
console.log(`stored   ${JSON.stringify(await rig.storedTruth())}`);
await rig.close();
await target.close();
