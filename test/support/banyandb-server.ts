/**
 * The BanyanDB that integration tests talk to: BANYANDB_ADDR (host:port) where it is set, else a `banyand`
 * in PATH, started here on free loopback ports and a temporary folder, else the embedded one.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { accessSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEmbedded } from "../../src/embedded/server.js";
import { Service as CommonService } from "../../src/gen/banyandb/common/v1/common_pb.js";
import { GroupRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { connectBanyandb } from "./banyandb-client.js";

/** Ends and begins again a server that the tests own. All wait until it is done. */
export interface ServerControls {
  /** SIGTERM: the server stops in its own time. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again after a stop or kill, on the same port and data. */
  restart(): Promise<void>;
}

export interface BanyandbServer {
  readonly kind: "external" | "banyand" | "embedded";
  /** host:port of its gRPC service. */
  readonly address: string;
  /** As it says itself: "0.9", "0.10", … */
  readonly version: string;
  /** How long it may take until what it acknowledged survives a stop, in milliseconds. */
  readonly flushMs: number;
  /** Absent for an external server: that one is not ours to stop. */
  readonly controls?: ServerControls;
  /** Stops it for good and removes its data; does nothing to an external one. */
  close(): Promise<void>;
}

/** Default of --measure-flush-timeout. */
const BANYAND_FLUSH_MS = 5_000;
/** Shorter, so that the tests of outages are quick. */
const EMBEDDED_FLUSH_MS = 1_000;
const READY_WITHIN_MS = 60_000;
/** More than the 10 s that BanyanDB gives running streams, on a loaded machine. */
const STOPPED_WITHIN_MS = 30_000;

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, "127.0.0.1", () => {
            resolve((server.address() as AddressInfo).port);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function findInPath(program: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        // Not there or not executable: the next folder of PATH may have it.
        return false;
      }
    });
}

async function versionWhenReady(address: string): Promise<string> {
  const client = connectBanyandb(address);
  const giveUpAtMs = Date.now() + READY_WITHIN_MS;
  try {
    for (;;) {
      try {
        const { version } = await client.call(CommonService.method.getAPIVersion, {}, 2_000);
        // The port opens before the registries answer.
        await client.call(GroupRegistryService.method.list, {}, 2_000);
        return version?.version ?? "";
      } catch (error) {
        if (Date.now() > giveUpAtMs) throw error;
        await sleep(100);
      }
    }
  } finally {
    client.close();
  }
}

/** The flags for every version; `banyand standalone --help` says which of them this one knows. */
async function flagsFor(binary: string, folder: string): Promise<{ grpcPort: number; flags: string[] }> {
  const ports = await freePorts(8);
  const [grpc, http, metrics, pprof, schema, gossip, etcdClient, etcdPeer] = ports.map((port) =>
    String(port),
  );
  const wanted: Record<string, string | undefined> = {
    "node-host-provider": "flag",
    "node-host": "127.0.0.1",
    "grpc-host": "127.0.0.1",
    "grpc-port": grpc,
    "http-host": "127.0.0.1",
    "http-port": http,
    "http-grpc-addr": `127.0.0.1:${grpc ?? ""}`,
    "observability-listener-addr": `127.0.0.1:${metrics ?? ""}`,
    "pprof-listener-addr": `127.0.0.1:${pprof ?? ""}`,
    "property-repair-gossip-grpc-host": "127.0.0.1",
    "property-repair-gossip-grpc-port": gossip,
    "measure-root-path": folder,
    "stream-root-path": folder,
    "trace-root-path": folder,
    "property-root-path": folder,
    "metadata-root-path": folder,
    "schema-server-root-path": folder,
    "schema-server-grpc-host": "127.0.0.1",
    "schema-server-grpc-port": schema,
    "etcd-listen-client-url": `http://127.0.0.1:${etcdClient ?? ""}`,
    "etcd-listen-peer-url": `http://127.0.0.1:${etcdPeer ?? ""}`,
    "panic-diagnostics-dir": join(folder, "crash"),
    "logging-level": "warn",
  };
  const help = spawnSync(binary, ["standalone", "--help"], { encoding: "utf8" });
  if (help.status !== 0) throw new Error(`${binary} standalone --help failed: ${help.stderr}`);
  const known = new Set([...help.stdout.matchAll(/--([a-z][a-z-]*)/g)].map((match) => match[1]));
  const flags = Object.entries(wanted)
    .filter(([flag, value]) => known.has(flag) && value !== undefined)
    .map(([flag, value]) => `--${flag}=${value ?? ""}`);
  return { grpcPort: Number(grpc), flags };
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) =>
    child.once("exit", () => {
      resolve();
    }),
  );
  const timer = sleep(STOPPED_WITHIN_MS, "late" as const, { ref: false });
  if ((await Promise.race([ended, timer])) === "late") throw new Error("banyand did not stop");
}

async function startBanyand(binary: string): Promise<BanyandbServer> {
  const folder = mkdtempSync(join(tmpdir(), "banyand-"));
  const log = join(folder, "banyand.log");
  const { grpcPort, flags } = await flagsFor(binary, folder);
  const address = `127.0.0.1:${String(grpcPort)}`;
  let child: ChildProcess | undefined;

  // A test run that ends without close() must not leave it behind.
  const killChild = (): void => void child?.kill("SIGKILL");
  process.once("exit", killChild);

  async function start(): Promise<string> {
    const output = openSync(log, "a");
    const started = spawn(binary, ["standalone", ...flags], {
      cwd: folder,
      stdio: ["ignore", output, output],
    });
    child = started;
    const died = new Promise<never>((_, reject) => {
      started.once("exit", (code, signal) => {
        reject(
          new Error(`banyand ended (${String(code ?? signal)}):\n${readFileSync(log, "utf8").slice(-2000)}`),
        );
      });
    });
    // Rejected by every later stop too, when nobody listens any more.
    died.catch(() => undefined);
    return Promise.race([versionWhenReady(address), died]);
  }
  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (child === undefined) return;
    child.kill(signal);
    await exited(child);
  }
  async function close(): Promise<void> {
    process.off("exit", killChild);
    await end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    const version = await start();
    const controls: ServerControls = {
      stop: () => end("SIGTERM"),
      kill: () => end("SIGKILL"),
      restart: async () => {
        await start();
      },
    };
    return { kind: "banyand", address, version, flushMs: BANYAND_FLUSH_MS, controls, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startInProcess(): Promise<BanyandbServer> {
  const embedded = await startEmbedded({ host: "127.0.0.1", port: 0, flushMs: EMBEDDED_FLUSH_MS });
  return {
    kind: "embedded",
    address: embedded.address,
    version: embedded.version,
    flushMs: EMBEDDED_FLUSH_MS,
    controls: {
      stop: () => embedded.stop(),
      kill: () => embedded.kill(),
      restart: () => embedded.restart(),
    },
    close: () => embedded.kill(),
  };
}

/**
 * Starts or finds the server, waits until it answers, and says on standard output which one it is.
 * @param named the binary to start, whatever else there is
 */
export async function startBanyandbServer(named?: string): Promise<BanyandbServer> {
  const external = named === undefined ? process.env["BANYANDB_ADDR"] : undefined;
  const binary = named ?? findInPath("banyand");
  let server: BanyandbServer;
  if (external !== undefined && external !== "") {
    const version = await versionWhenReady(external);
    server = {
      kind: "external",
      address: external,
      version,
      flushMs: BANYAND_FLUSH_MS,
      close: () => Promise.resolve(),
    };
  } else if (binary !== undefined) {
    server = await startBanyand(binary);
  } else {
    server = await startInProcess();
  }
  const name = server.kind === "banyand" ? `banyand (${binary ?? ""})` : server.kind;
  console.log(`  BanyanDB: ${name}, version ${server.version}, at ${server.address}`);
  return server;
}
