/** The program itself, watching the sample workload and writing to an embedded BanyanDB: a real /metrics page. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { openTransport } from "../../src/banyandb/transport.js";
import { readBack, type StoredRows } from "../../src/banyandb/read-back.js";
import { readSchema } from "../../src/config/schema-files.js";
import { measureNamed } from "../../src/agent-samples.js";
import { startEmbedded } from "../../src/embedded/server.js";
import { packageRoot } from "../support/package-root.js";
import { startSidecar } from "../support/sidecar.js";

export interface WatchedSidecar {
  readonly port: number;
  /** All rows of a measure that has one series, as the server tells them. */
  stored(measure: string): Promise<StoredRows>;
  /** Ends the workload; the counters stand still after the next tick. */
  quiet(): Promise<void>;
  close(): Promise<void>;
}

/** On a disk; tmpfs has no page cache of files to count. */
const WORKLOAD_FOLDER = "/var/tmp";
const NODE_ID = "artifacts:17912";

/** @throws Error where nothing can be measured, with what the program said */
export async function startWatchedSidecar(intervalMs: number): Promise<WatchedSidecar> {
  const startMs = Date.now();
  const server = await startEmbedded({ host: "127.0.0.1", port: 0 });
  const workload = fork(`${packageRoot}/dist/src/demo/sample-workload.js`, [WORKLOAD_FOLDER], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const workloadEnd = once(workload, "exit");
  await Promise.race([once(workload, "message"), workloadEnd]);
  const settings = [
    ...["run", "--set", `banyandb.endpoints=${server.address}`, "--set", `target.pid=${workload.pid ?? 0}`],
    ...["--set", `node.id=${NODE_ID}`, "--set", "http.listen=127.0.0.1:0", "--interval", `${intervalMs}ms`],
  ];
  const sidecar = startSidecar(settings);
  const endWorkload = async () => {
    if (workload.connected) workload.send("finish");
    await workloadEnd;
  };
  const close = async () => {
    sidecar.signal("SIGTERM");
    await sidecar.ended;
    await endWorkload();
    await server.kill();
  };
  try {
    const [, port] = await sidecar.seen(/"http":"127\.0\.0\.1 port (\d+)"/);
    workload.send("start");
    return {
      port: Number(port),
      stored: (name) => stored(server.address, name, startMs),
      quiet: endWorkload,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function stored(address: string, name: string, fromMs: number): Promise<StoredRows> {
  const schema = readSchema();
  const transport = openTransport({
    endpoints: [address],
    username: undefined,
    password: undefined,
    tls: undefined,
  });
  try {
    return await readBack({
      transport,
      group: "ebpf",
      groupSpec: schema.group,
      measure: measureNamed(schema, name),
      identity: [NODE_ID],
      fromMs,
      toMs: Date.now() + 60_000,
    });
  } finally {
    transport.close();
  }
}
