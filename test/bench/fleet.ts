/**
 * A fleet of sidecars and one server that restarts: `npm run bench:fleet [-- --sidecars 1000 --processes 4 --away 60
 * --banyand BINARY]`. Each is a whole delivery with a connection of its own, at the phase of its name, one row every
 * 10 s. Prints streams per second before and after the restart, how late the ticks were, and how long after them
 * their streams. The rate is judged as it came; beside it stands what it would be without the lateness of the bench's
 * own timers, for on a machine too busy for a thousand of them a loop that stands still makes a herd that is none.
 * Compares what each sidecar has sent with what a query returns; exits 1 where the fleet storms or a count is wrong.
 * Against a `banyand` in PATH, else the embedded server.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { readBack } from "../../src/banyandb/read-back.js";
import { openTransport } from "../../src/banyandb/transport.js";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { startFleetPart } from "../support/fleet-process.js";
import { present } from "../support/present.js";
import { CACHE, SCHEMA } from "../support/ticks.js";

const { values } = parseArgs({
  options: {
    sidecars: { type: "string", default: "1000" },
    processes: { type: "string", default: "4" },
    away: { type: "string", default: "60" },
    banyand: { type: "string" },
  },
});
const INTERVAL_MS = 10_000;
const BEFORE_MS = 40_000;
/** After this the herd must be none any more. */
const CALM_AFTER_MS = 120_000;
const COUNTED_MS = 60_000;
const PEAK_TO_MEAN = 1.5;
/** The replay window, and one more answer. */
const REPLAYED_MS = 30_000;

const server = await startBanyandbServer(values.banyand);
const controls = present(server.controls);
const group = `fleet_${process.pid}`;
const fromMs = Date.now() - INTERVAL_MS;
const nodes = Array.from({ length: Number(values.sidecars) }, (_, n) => `host-${n}:17912`);
const processes = Number(values.processes);
const parts = Array.from({ length: processes }, (_, i) =>
  startFleetPart({
    address: server.address,
    group,
    nodes: nodes.filter((_, n) => n % processes === i),
    intervalMs: INTERVAL_MS,
  }),
);

/** As the streams of the fleet have it. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

interface Rate {
  readonly peak: number;
  readonly mean: number;
}

/** How many per second: the most in any second, over the mean. */
function rateIn(times: readonly number[], beginMs: number, endMs: number): Rate {
  const seconds = new Array<number>(Math.round((endMs - beginMs) / 1000)).fill(0);
  for (const at of times) {
    if (at < beginMs || at >= endMs) continue;
    const second = Math.floor((at - beginMs) / 1000);
    seconds[second] = (seconds[second] ?? 0) + 1;
  }
  return { peak: Math.max(...seconds), mean: seconds.reduce((sum, n) => sum + n, 0) / seconds.length };
}

function textOf({ peak, mean }: Rate): string {
  return `peak ${peak}, mean ${mean.toFixed(1)}, ratio ${(peak / mean).toFixed(2)}`;
}

function spread(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  return `${at(0.5)}, ${at(0.99)}, ${at(1)} ms (p50, p99, max)`;
}

/** Prints a part of the run; returns the ratio of its rate. */
function show(when: string, beginMs: number, endMs: number): number {
  const streams = parts.flatMap((part) => part.streams);
  const rateOf = (times: readonly number[]): Rate => rateIn(times, beginMs, endMs);
  const opened = rateOf(streams.map(({ openedMs }) => openedMs));
  const onTime = rateOf(
    streams.map(({ openedMs, tick }) => (tick ? openedMs - (tick.cameMs - tick.dueMs) : openedMs)),
  );
  const first = streams.flatMap(({ openedMs, tick }) =>
    tick && tick.dueMs >= beginMs && tick.dueMs < endMs ? [{ openedMs, ...tick }] : [],
  );
  console.log(`${when}: ${textOf(opened)}; with a bench on time: ${textOf(onTime)}`);
  console.log(`  ticks of the bench late by ${spread(first.map(({ dueMs, cameMs }) => cameMs - dueMs))}`);
  console.log(
    `  streams after their ticks by ${spread(first.map(({ cameMs, openedMs }) => openedMs - cameMs))}`,
  );
  return opened.peak / opened.mean;
}

await sleep(INTERVAL_MS + BEFORE_MS);
const beforeMs = nowMs();
await controls.kill();
await sleep(Number(values.away) * 1000);
await controls.restart();
const backMs = nowMs();
await sleep(CALM_AFTER_MS + COUNTED_MS + 2000);
console.log(
  `${nodes.length} sidecars in ${processes} processes, ${server.kind} ${server.version} away for ${values.away} s; streams per second`,
);
show("before", beforeMs - 20_000, beforeMs);
show("in the first minute", backMs, backMs + 60_000);
const calm = show(
  `after 2 min (ratio must be <= ${PEAK_TO_MEAN})`,
  backMs + CALM_AFTER_MS,
  backMs + CALM_AFTER_MS + COUNTED_MS,
);
await sleep(REPLAYED_MS);

const direct = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
let [sent, stored] = [0, 0];
const wrong: string[] = [];
for (const sums of await Promise.all(parts.map((part) => part.end()))) {
  for (const [node, sum] of sums) {
    const { sums } = await readBack({
      transport: direct,
      group,
      groupSpec: SCHEMA.group,
      measure: CACHE,
      identity: [node],
      fromMs,
      toMs: Date.now() + INTERVAL_MS,
    });
    sent += sum;
    stored += sums["pages_hit"] ?? 0;
    if (sum !== sums["pages_hit"]) wrong.push(`${node}: ${sum} sent, ${sums["pages_hit"] ?? 0} stored`);
  }
}
console.log(`sent ${sent}, stored ${stored}`);
console.log(wrong.length === 0 ? "0 lost, 0 doubled, each by itself" : wrong.slice(0, 10).join("\n"));
process.exitCode = wrong.length > 0 || calm > PEAK_TO_MEAN ? 1 : 0;
direct.close();
await server.close();
