/**
 * The sidecar is killed at random moments, while its target reads and the way to the server breaks; in the end what
 * a query returns must equal what the kernel counted. For the fault suite and for `npm run bench:kills`.
 */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { readBack } from "../../src/banyandb/read-back.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import { readSchema } from "../../src/config/schema-files.js";
import { loadAddon } from "../../src/kernel/addon.js";
import type { MeasureSpec } from "../../src/model/measure.js";
import { startBanyandbServer, type BanyandbServer } from "./banyandb-server.js";
import { mountBpfFs, type BpfFs } from "./bpf-fs.js";
import { startFaultProxy, type FaultProxy } from "./fault-proxy.js";
import { packageRoot } from "./package-root.js";
import { present } from "./present.js";
import { makeFile, startReader, sumTruths, type Truth } from "./reader.js";
import { startSidecar, type Running } from "./sidecar.js";
import { seededRandom } from "./ticks.js";

export interface KillRun {
  readonly kills: number;
  readonly seed: number;
  /** Called after each kill. */
  readonly progress?: (kills: number) => void;
}

export interface KillResult {
  /** By field of page_cache: what the kernel counted, and what a query returns. */
  readonly kernel: Readonly<Record<string, number>>;
  readonly stored: Readonly<Record<string, number>>;
  /** The same of page_cache_component, summed over the components. */
  readonly components: Readonly<Record<string, number>>;
  /** What the target did, by its own count. */
  readonly truth: Truth;
  readonly rows: number;
  readonly server: string;
}

const INTERVAL_MS = 100;
const NODE_ID = "killed:17912";
/** Longer than the replay window, so that ticks settle at times. */
const LONG_LIFE_MS = 17_000;
const FILE_BYTES = 16 << 20;
const OPS = 15_000;
let groups = 0;

interface World {
  readonly random: () => number;
  readonly server: BanyandbServer;
  readonly proxy: FaultProxy;
  readonly fs: BpfFs;
  readonly pinPath: string;
  readonly group: string;
  readonly file: string;
  readonly beganMs: number;
  /** Sidecars that have not ended. */
  readonly alive: Set<Running>;
  /** Processes that a sidecar has found, and which are counted from then on. */
  readonly found: Set<number>;
}

export async function runKills({ kills, seed, progress = () => undefined }: KillRun): Promise<KillResult> {
  const server = await startBanyandbServer();
  const fs = mountBpfFs();
  const file = makeFile(FILE_BYTES);
  const world: World = {
    random: seededRandom(seed),
    server,
    proxy: await startFaultProxy(server.address),
    fs,
    pinPath: `${fs.path}/kills`,
    group: `kills_${process.pid}_${groups++}`,
    file: file.path,
    beganMs: Date.now() - 60_000,
    alive: new Set(),
    found: new Set(),
  };
  const direct = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
  const state = { done: false };
  let breaking = Promise.resolve();
  let work: Work | undefined;
  try {
    breaking = breakTheWay(world, () => state.done);
    work = await startWork(world);
    for (let i = 1; i <= kills; i++) {
      await liveAndDie(world);
      progress(i);
    }
    state.done = true;
    await breaking;
    await world.proxy.set({ kind: "open" });
    const truth = await work.end();
    return await compare(world, direct, truth);
  } finally {
    // Where something threw these still run.
    state.done = true;
    const ending = [...world.alive].map((sidecar) => {
      sidecar.signal("SIGKILL");
      return sidecar.ended;
    });
    await Promise.allSettled([...ending, breaking, work?.end()]);
    direct.close();
    await world.proxy.close();
    execFileSync("rm", ["-rf", world.pinPath]);
    fs.remove();
    file.remove();
    await server.close();
  }
}

function start({ proxy, pinPath, group, file, alive }: World): Running {
  const settings = {
    interval: `${INTERVAL_MS}ms`,
    "node.id": NODE_ID,
    "target.command": `reader ${file}`,
    "kernel.pin_path": pinPath,
    "banyandb.endpoints": proxy.address,
    "banyandb.group": group,
    "http.listen": "off",
  };
  const sidecar = startSidecar([
    "run",
    ...Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]),
  ]);
  alive.add(sidecar);
  void sidecar.ended.finally(() => alive.delete(sidecar));
  return sidecar;
}

/** One life of the sidecar, which may end before it has begun to measure. */
async function liveAndDie(world: World): Promise<void> {
  const { random } = world;
  const sidecar = start(world);
  const roll = random();
  if (roll < 0.15) {
    await sleep(random() * 600);
  } else {
    await sidecar.seen(/"message":"started"/);
    await sleep(roll < 0.2 ? LONG_LIFE_MS : random() * 1500);
  }
  sidecar.signal("SIGKILL");
  const { stderr } = await sidecar.ended;
  for (const [, pid] of stderr.matchAll(/"target process found".*?"pid":(\d+)/g))
    world.found.add(Number(pid));
}

/** An outage now and then, also while the sidecar is not there. */
async function breakTheWay({ random, proxy, server }: World, isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    await sleep(random() * 3000);
    const roll = random();
    if (roll < 0.25) proxy.reset();
    else if (roll < 0.4) proxy.resetAfterReplyBytes(Math.floor(random() * 2000));
    else if (roll < 0.5) proxy.resetAfterRequestBytes(Math.floor(random() * 20_000));
    else if (roll < 0.7) await proxy.set({ kind: "refuse" });
    else if (roll < 0.8) await proxy.set({ kind: "silent" });
    else if (roll < 0.9 && server.controls) {
      await server.controls.kill();
      await sleep(random() * 1000);
      await server.controls.restart();
    }
    await sleep(random() * 3000);
    await proxy.set({ kind: "open" });
  }
}

interface Work {
  end(): Promise<Truth>;
}

/** Reads, by one process after the other, each of which waits until a sidecar has found it. */
async function startWork(world: World): Promise<Work> {
  const truths: Truth[] = [];
  const state = { ended: false };
  const isEnded = (): boolean => state.ended;
  // The first sidecar makes the pins.
  const first = start(world);
  await first.seen(/"message":"started"/);
  first.signal("SIGKILL");
  await first.ended;
  const work = async (): Promise<void> => {
    for (let seed = 1; !isEnded(); seed++) {
      const options = { pattern: "unaligned", bytes: 65_536, ops: OPS, seed } as const;
      const reader = await startReader(world.file, options);
      while (!isEnded() && !world.found.has(reader.pid)) await sleep(50);
      // One that nobody has found has to do nothing.
      if (world.found.has(reader.pid)) truths.push(await reader.run());
      await reader.end();
    }
  };
  const done = work();
  return {
    async end() {
      state.ended = true;
      await done;
      return sumTruths(truths);
    },
  };
}

/** A last life that ends in good order, then the two sums; again where something has moved meanwhile. */
async function compare(world: World, direct: Transport, truth: Truth): Promise<KillResult> {
  const schema = readSchema();
  const measures = ["page_cache", "page_cache_component"].map((name) =>
    present(schema.measures.find((measure) => measure.name === name)),
  );
  const [cache, component] = [present(measures[0]), present(measures[1])];
  for (let attempt = 1; ; attempt++) {
    const sidecar = start(world);
    await sidecar.seen(/"message":"started"/);
    await sleep(2000);
    sidecar.signal("SIGTERM");
    const { code, stderr } = await sidecar.ended;
    if (code !== 0) throw new Error(`the last sidecar ended with ${code}:\n${stderr}`);
    const kernel = kernelFields(world.pinPath, cache);
    const [stored, components] = await Promise.all(
      [cache, component].map((measure) =>
        readBack({
          transport: direct,
          group: world.group,
          groupSpec: schema.group,
          measure,
          identity: [NODE_ID],
          fromMs: world.beganMs,
          toMs: Date.now() + 60_000,
        }),
      ),
    );
    const pick = (sums: Readonly<Record<string, number>> = {}): Record<string, number> =>
      Object.fromEntries(Object.keys(kernel).map((name) => [name, sums[name] ?? 0]));
    const result = {
      kernel,
      stored: pick(stored?.sums),
      components: pick(components?.sums),
      truth,
      rows: (stored?.rows.length ?? 0) + (components?.rows.length ?? 0),
      server: `${world.server.kind} ${world.server.version}`,
    };
    if (attempt === 5 || JSON.stringify(result.kernel) === JSON.stringify(result.stored)) return result;
  }
}

/** The fields of a measure whose sources are counters of pages, as the pinned maps have them now. */
function kernelFields(pinPath: string, measure: MeasureSpec): Record<string, number> {
  const addon = loadAddon(packageRoot);
  const pins = addon.openPins(pinPath);
  const bytes = pins.readArray("counters");
  pins.close();
  const values = new BigUint64Array(bytes.slice().buffer);
  const slots = values.length / (addon.probeFeatures().possibleCpus * addon.componentsMax);
  const sums = new Map(addon.counterNames.map((name) => [name, 0]));
  addon.counterNames.forEach((name, i) => {
    for (let at = i; at < values.length; at += slots)
      sums.set(name, (sums.get(name) ?? 0) + Number(values[at]));
  });
  sums.set("reads_hit", (sums.get("reads") ?? 0) - (sums.get("reads_missed") ?? 0));
  sums.set("pages_hit", (sums.get("pages_requested") ?? 0) - (sums.get("pages_missed") ?? 0));
  return Object.fromEntries(
    measure.fields.flatMap((field) => {
      if (field.merge === "derive") return [];
      const names = field.sources.map((i) => measure.sources[i]?.name ?? "");
      if (!names.every((name) => sums.has(name))) return [];
      return [[field.name, names.reduce((sum, name) => sum + (sums.get(name) ?? 0), 0)]];
    }),
  );
}
