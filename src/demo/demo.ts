/**
 * The demo: watches BanyanDB or a sample workload, delivers to the embedded BanyanDB or a real one, shows the
 * live numbers, and at the end what the server stored beside what the kernel counted.
 */
import { runAgent, type Agent } from "../agent.js";
import { measureNamed } from "../agent-samples.js";
import { readBack, type StoredRows } from "../banyandb/read-back.js";
import { openTransport } from "../banyandb/transport.js";
import type { Config } from "../config/config.js";
import { startEmbedded } from "../embedded/server.js";
import type { Log } from "../model/log.js";
import type { Schema } from "../model/measure.js";
import { differences, kernelByField, pointNumbers, storedByField, type DemoResult } from "./result.js";
import { liveHeader, liveLine, showResult } from "./show.js";
import { findDemoTarget, type DemoTarget } from "./target.js";

export interface DemoOptions {
  readonly config: Config;
  readonly schema: Schema;
  readonly log: Log;
  /** Version of this program. */
  readonly version: string;
  /** Until `stop`, if absent. */
  readonly durationMs: number | undefined;
  /** Print nothing to standard output but one JSON object at the end. */
  readonly json: boolean;
  /** host:port of a real BanyanDB; the embedded one, if absent. */
  readonly banyandb: string | undefined;
  /** Ends the demo in good order. */
  readonly stop: AbortSignal;
}

/** The demo ticks at least this often, for people watch it. */
const INTERVAL_MAX_MS = 1000;
const STOP_DEADLINE_MS = 10_000;

interface DemoSink {
  readonly kind: "embedded" | "banyandb";
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Runs the demo; resolves to the exit code: 0, or 1 where what is stored is not what the kernel counted.
 * @throws KernelError where nothing can be measured; BanyanError where the server cannot be asked at the end
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  process.stderr.write("Loading the programs into the kernel, and looking for BanyanDB ...\n");
  const target = await findDemoTarget(options.config, options.log);
  const sink = await openSink(options.banyandb);
  const config: Config = {
    ...options.config,
    intervalMs: Math.min(options.config.intervalMs, INTERVAL_MAX_MS),
    ...target.config,
    banyandb: { ...options.config.banyandb, endpoints: [sink.address] },
  };
  try {
    const { result, stored } = await watch({ ...options, config }, target, sink);
    const wrong = differences(result);
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else process.stdout.write(showResult(result, stored, measureNamed(options.schema, "page_cache"), wrong));
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await sink.close();
  }
}

async function openSink(banyandb: string | undefined): Promise<DemoSink> {
  if (banyandb !== undefined) return { kind: "banyandb", address: banyandb, close: () => Promise.resolve() };
  const server = await startEmbedded({ host: "127.0.0.1", port: 0 });
  return { kind: "embedded", address: server.address, close: () => server.kill() };
}

async function watch(
  options: DemoOptions,
  target: DemoTarget,
  sink: DemoSink,
): Promise<{ result: DemoResult; stored: StoredRows }> {
  const { config, schema } = options;
  const fromMs = Date.now();
  const agent = runAgent({ config, schema, log: options.log, sink: "banyandb", version: options.version });
  try {
    announce(options, target, sink);
    target.start();
    await show(options, agent);
    await target.finish();
    await agent.stop(STOP_DEADLINE_MS);
    const stored = await query(agent, config, schema, fromMs);
    return { result: resultOf(agent, schema, target, sink, stored), stored };
  } finally {
    agent.abort();
    agent.close();
    await target.finish();
  }
}

function announce(options: DemoOptions, target: DemoTarget, sink: DemoSink): void {
  const until = options.durationMs === undefined ? "until Ctrl-C" : `for ${options.durationMs / 1000} s`;
  const where =
    sink.kind === "embedded" ? `an embedded BanyanDB at ${sink.address}` : `BanyanDB at ${sink.address}`;
  const who = `${target.description} (pid ${target.pids.join(", ")})`;
  process.stderr.write(
    `Watching ${who} ${until}; writing to ${where}, group ${options.config.banyandb.group}.\n`,
  );
}

/** Shows each tick until the time is over. */
async function show({ json, durationMs, stop, config }: DemoOptions, agent: Agent): Promise<void> {
  let shown = 0;
  if (!json) process.stdout.write(liveHeader());
  const timer = setInterval(() => {
    const totals = agent.totals();
    if (json || !totals || agent.ticks() === shown) return;
    shown = agent.ticks();
    process.stdout.write(liveLine(totals.latest, agent.status()));
  }, config.intervalMs / 4);
  await pause(durationMs, stop);
  clearInterval(timer);
}

function pause(durationMs: number | undefined, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = durationMs === undefined ? undefined : setTimeout(resolve, durationMs);
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** The rows of all targets that had any. */
async function query(agent: Agent, config: Config, schema: Schema, fromMs: number): Promise<StoredRows> {
  const transport = openTransport(config.banyandb);
  const measure = measureNamed(schema, "page_cache");
  const identities = new Map(
    [...(agent.totals()?.series.values() ?? [])].flatMap(({ sample: { identity } }) =>
      identity ? [[identity[0], identity]] : [],
    ),
  );
  try {
    const parts: StoredRows[] = [];
    for (const identity of identities.values()) {
      const toMs = Date.now() + INTERVAL_MAX_MS;
      const { group } = config.banyandb;
      const groupSpec = schema.group;
      parts.push(await readBack({ transport, group, groupSpec, measure, identity, fromMs, toMs }));
    }
    const rows = parts.flatMap((part) => part.rows).sort((a, b) => a.timestampMs - b.timestampMs);
    const sumOf = (name: string) => parts.reduce((sum, { sums }) => sum + (sums[name] ?? 0), 0);
    return { rows, sums: Object.fromEntries(measure.fields.map(({ name }) => [name, sumOf(name)])) };
  } finally {
    transport.close();
  }
}

function resultOf(
  agent: Agent,
  schema: Schema,
  target: DemoTarget,
  sink: DemoSink,
  { sums }: StoredRows,
): DemoResult {
  const measure = measureNamed(schema, "page_cache");
  const { kernel, delivery } = agent.status();
  return {
    tier: kernel.tier,
    target: { description: target.description, pids: target.pids },
    sink: { kind: sink.kind, address: sink.address, version: delivery?.sink.version },
    ticks: agent.ticks(),
    points: delivery ? pointNumbers(delivery.points) : {},
    kernel: kernelByField(measure, agent.kernelTotals(), target.runsOn),
    stored: storedByField(measure, sums, target.runsOn),
  };
}
