/**
 * A BanyanDB in memory, for the demo and the tests: the gRPC contract of a real one (standalone, main at
 * apache/skywalking-banyandb 9ebac4516) for the registries of groups and measures, writing and reading
 * measures, version and health. What a real one does and this does not is UNIMPLEMENTED.
 */
import type { Server } from "@grpc/grpc-js";
import type { EmbeddedAccount } from "./authentication.js";
import { listen } from "./listener.js";
import type { Listener } from "./listener.js";
import { createRecentChanges } from "./recent-changes.js";
import { createRegistry } from "./registry.js";
import { createRows } from "./rows.js";
import { createGrpcServer } from "./services.js";
import type { Life } from "./write-stream.js";

export interface EmbeddedOptions {
  readonly host: string;
  /** 0 takes a free port, and keeps it over restarts. */
  readonly port: number;
  /** Age from which rows and schema survive a stop; default 5000 (a real server's --measure-flush-timeout). */
  readonly flushMs?: number;
  /** Rows beyond this number push out the ones stored first; default 100 000. */
  readonly maxRows?: number;
  /** Wall clock in milliseconds; default Date.now. */
  readonly now?: () => number;
  /** Who may call, asked with every call; everybody, if absent. */
  readonly account?: () => EmbeddedAccount;
}

export interface EmbeddedBanyandb {
  /** host:port */
  readonly address: string;
  /** The API version that it answers. */
  readonly version: string;
  /**
   * Refuses new streams, lets running ones end within 10 s, then ends. Like a kill it forgets the rows and
   * the schema of the last `flushMs`: no real server flushes when it stops.
   */
  stop(): Promise<void>;
  /** Resets all connections at once. */
  kill(): Promise<void>;
  /** Starts again after a stop or kill, on the same port, with what was not forgotten. */
  restart(): Promise<void>;
}

/** What main answers too, until 0.11 is out. */
const API_VERSION = "0.10";
const FLUSH_MS = 5_000;
const MAX_ROWS = 100_000;
/** banyand/liaison/grpc/server.go, GracefulStop, at apache/skywalking-banyandb 9ebac4516. */
const GRACE_MS = 10_000;

interface Running {
  readonly life: Life;
  readonly listener: Listener;
}

/** @throws the system's error where it cannot listen, such as EADDRINUSE */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedBanyandb> {
  const { host, now = Date.now } = options;
  const changes = createRecentChanges(options.flushMs ?? FLUSH_MS, now);
  const registry = createRegistry(changes, now);
  const rows = createRows({ changes, now, maxRows: options.maxRows ?? MAX_ROWS });

  async function start(port: number): Promise<Running> {
    const life: Life = { ended: false };
    const { account } = options;
    const parts = { registry, rows, life, now, account, version: API_VERSION, revision: "embedded" };
    const server: Server = createGrpcServer(parts);
    return { life, listener: await listen(server, host, port) };
  }

  let running: Running | undefined = await start(options.port);
  const { port } = running.listener;
  let previous: Promise<void> = Promise.resolve();

  /** One after the other: a kill while a stop is under way waits for it. */
  function inTurn(step: () => Promise<void>): Promise<void> {
    const turn = previous.then(step);
    // Its caller hears of a failure; the next step goes on all the same.
    previous = turn.catch(() => undefined);
    return turn;
  }

  function end(how: (running: Running) => Promise<void>): Promise<void> {
    return inTurn(async () => {
      if (running === undefined) return;
      const ending = running;
      running = undefined;
      await how(ending);
      ending.life.ended = true;
      changes.undo();
    });
  }

  return {
    address: `${host.includes(":") ? `[${host}]` : host}:${String(port)}`,
    version: API_VERSION,
    stop: () => end(({ listener }) => listener.drain(GRACE_MS)),
    kill: () =>
      end(({ life, listener }) => {
        life.ended = true;
        return listener.reset();
      }),
    restart: () =>
      inTurn(async () => {
        running ??= await start(port);
      }),
  };
}
