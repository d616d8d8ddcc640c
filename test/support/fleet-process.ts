/**
 * A part of a fleet in a process of its own: each sidecar is a whole delivery with a connection of its own, at the phase
 * of its name, one row per interval. Tells of every write stream when its tick was due and when it was opened.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createDelivery, type Delivery } from "../../src/banyandb/delivery.js";
import { openTransport } from "../../src/banyandb/transport.js";
import type { BanyandbConfig } from "../../src/config/config.js";
import { untilTickMs } from "../../src/model/phase.js";
import { plainConfig } from "./banyandb-config.js";
import { SILENT } from "./silent-log.js";
import { CACHE, SCHEMA } from "./ticks.js";
import { makeSample, tickVersion } from "../../src/model/tick.js";
import { waitFor } from "./wait.js";

/** Times in milliseconds since the epoch, by the monotonic clock. */
export interface FleetStream {
  readonly openedMs: number;
  /** The tick that it is the first stream after; undefined where it is another one. */
  readonly tick: FleetTick | undefined;
}

export interface FleetTick {
  /** When it should have come, and when it came. */
  readonly dueMs: number;
  readonly cameMs: number;
}

export interface FleetPart {
  readonly streams: readonly FleetStream[];
  /** Ends the ticks, waits until all is acknowledged, and says what each sidecar has sent. */
  end(): Promise<ReadonlyMap<string, number>>;
}

export interface FleetOptions {
  readonly address: string;
  readonly group: string;
  readonly nodes: readonly string[];
  readonly intervalMs: number;
}

type Message = { readonly streams: readonly FleetStream[] } | { readonly sums: ReadonlyMap<string, number> };

const SELF = fileURLToPath(import.meta.url);
const TELL_MS = 1000;
const ACKNOWLEDGED_WITHIN_MS = 60_000;

export function startFleetPart(options: FleetOptions): FleetPart {
  const child = fork(SELF, [], { serialization: "advanced" });
  const streams: FleetStream[] = [];
  let told: ((sums: ReadonlyMap<string, number>) => void) | undefined;
  child.on("message", (message: Message) => {
    if ("streams" in message) streams.push(...message.streams);
    else told?.(message.sums);
  });
  child.send(options);
  return {
    streams,
    async end() {
      const sums = new Promise<ReadonlyMap<string, number>>((resolve) => (told = resolve));
      child.send("end");
      const ended = once(child, "exit");
      const result = await sums;
      child.disconnect();
      await ended;
      return result;
    },
  };
}

interface Sidecar {
  readonly delivery: Delivery;
  sum: number;
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Before what else runs here, since each sidecar stands for one with a machine of its own. */
const PRIORITY = -15;

function hurry(): void {
  try {
    setPriority(PRIORITY);
  } catch {
    // Only root may; how late the streams were tells whether it was needed.
  }
}

async function serve({ address, group, nodes, intervalMs }: FleetOptions): Promise<void> {
  const config = plainConfig(address, group);
  const fleet = new Map<string, Sidecar>();
  let fresh: FleetStream[] = [];
  let ticking = true;

  function start(node: string): void {
    let tick: FleetTick | undefined;
    const delivery = create(config, node, () => {
      fresh.push({ openedMs: nowMs(), tick });
      tick = undefined;
    });
    const sidecar = { delivery, sum: 0 };
    fleet.set(node, sidecar);
    const plan = (): void => {
      const inMs = untilTickMs(node, intervalMs, Date.now());
      const dueMs = nowMs() + inMs;
      setTimeout(() => {
        if (!ticking) return;
        const hit = 1 + Math.floor(Math.random() * 1000);
        sidecar.sum += hit;
        tick = { dueMs, cameMs: nowMs() };
        const timestampMs = Date.now();
        const samples = [makeSample(CACHE, [], (source) => (source === "pages_hit" ? hit : 0))];
        delivery.enqueue({ timestampMs, version: tickVersion(timestampMs, 0), intervalMs, samples });
        plan();
      }, inMs);
    };
    plan();
  }

  const tell = setInterval(() => {
    process.send?.({ streams: fresh });
    fresh = [];
  }, TELL_MS);
  process.once("message", () => {
    ticking = false;
    void finish().catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  async function finish(): Promise<void> {
    const isDone = ({ delivery }: Sidecar): boolean => {
      const { queued, inFlight } = delivery.status().points;
      return queued + inFlight === 0;
    };
    await waitFor("all is acknowledged", () => [...fleet.values()].every(isDone), ACKNOWLEDGED_WITHIN_MS);
    clearInterval(tell);
    for (const { delivery } of fleet.values()) delivery.abort();
    process.send?.({ sums: new Map([...fleet].map(([node, { sum }]) => [node, sum])) });
  }

  for (const node of nodes) {
    start(node);
    await sleep(intervalMs / nodes.length);
  }
}

/** @param onStream a write stream is about to be opened */
function create(config: BanyandbConfig, node: string, onStream: () => void): Delivery {
  return createDelivery({
    config: {
      banyandb: config,
      queue: { maxBytes: 1 << 20, maxAgeMs: 86_400_000 },
      delivery: { audit: false },
    },
    identity: [node, "test"],
    schema: SCHEMA,
    log: SILENT,
    open: (...args) => {
      const transport = openTransport(...args);
      return {
        ...transport,
        writeBatch(...batch) {
          onStream();
          return transport.writeBatch(...batch);
        },
      };
    },
  });
}

if (process.argv[1] === SELF) {
  const [options] = (await once(process, "message")) as [FleetOptions];
  // Ends with its parent, however that ends.
  process.once("disconnect", () => process.exit());
  hurry();
  await serve(options);
}
