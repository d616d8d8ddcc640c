/** A whole sidecar in this process (needs root), which watches a sample workload and writes to a given server. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { runAgent, type Agent } from "../../src/agent.js";
import { measureNamed } from "../../src/agent-samples.js";
import { readBack, type StoredRows } from "../../src/banyandb/read-back.js";
import { openTransport } from "../../src/banyandb/transport.js";
import { loadConfig } from "../../src/config/load.js";
import { packageVersion, readSchema } from "../../src/config/schema-files.js";
import { differences, kernelByField, storedByField } from "../../src/demo/result.js";
import { packageRoot } from "./package-root.js";
import { SILENT } from "./silent-log.js";

/** What the kernel counted beside what a query returns. */
export interface Balance {
  readonly measure: string;
  readonly rows: number;
  readonly reads: number;
  /** Fields whose sums differ. */
  readonly wrong: readonly string[];
}

export interface LiveSidecar {
  readonly agent: Agent;
  /** Points that are not acknowledged. */
  left(): number;
  begin(): void;
  /** The workload stands still, wherever it is. */
  freeze(): void;
  thaw(): void;
  /** The rows of a measure since the start. */
  stored(measure: string): Promise<StoredRows>;
  /** Ends workload and sidecar, in this order, and compares. */
  finish(): Promise<Balance[]>;
}

export interface LiveOptions {
  /** host:port */
  readonly address: string;
  readonly group: string;
  readonly intervalMs: number;
}

const STOP_DEADLINE_MS = 30_000;
/** Both count all reads of the target; the second one by component. */
const MEASURES = ["page_cache", "page_cache_component"];

export async function startLiveSidecar({ address, group, intervalMs }: LiveOptions): Promise<LiveSidecar> {
  const workload = fork(`${packageRoot}/dist/src/demo/sample-workload.js`, ["/var/tmp"]);
  await once(workload, "message");
  const set = (key: string, text: string) => ({ key, text, flag: `--set ${key}` });
  const { config } = loadConfig({
    file: { path: "empty.yaml", named: true },
    environment: {},
    flags: [
      set("banyandb.endpoints", address),
      set("banyandb.group", group),
      set("interval", `${intervalMs}ms`),
      set("target.pid", String(workload.pid)),
      set("node.id", "live:17912"),
    ],
    hostname: "live",
    readFile: () => ({ text: "", ownerId: 0, mode: 0o600 }),
    ownIds: [],
  });
  const schema = readSchema();
  const fromMs = Date.now();
  const agent = runAgent({ config, schema, log: SILENT, sink: "banyandb", version: packageVersion() });

  const stored = async (name: string): Promise<StoredRows> => {
    const transport = openTransport(config.banyandb);
    try {
      return await readBack({
        transport,
        group,
        groupSpec: schema.group,
        measure: measureNamed(schema, name),
        identity: [config.node.id, config.node.cluster, config.node.role, config.node.type],
        fromMs,
        toMs: Date.now() + intervalMs,
      });
    } finally {
      transport.close();
    }
  };

  const balance = async (name: string): Promise<Balance> => {
    const measure = measureNamed(schema, name);
    const { rows, sums } = await stored(name);
    const kernel = kernelByField(measure, agent.kernelTotals());
    const wrong = differences({ kernel, stored: storedByField(measure, sums) });
    return { measure: name, rows: rows.length, reads: kernel["reads"] ?? 0, wrong };
  };

  return {
    agent,
    left() {
      const points = agent.status().delivery?.points;
      return points ? points.queued + points.inFlight : 0;
    },
    begin: () => void workload.send("start"),
    freeze: () => void workload.kill("SIGSTOP"),
    thaw: () => void workload.kill("SIGCONT"),
    stored,
    async finish() {
      workload.send("finish");
      await once(workload, "exit");
      try {
        await agent.stop(STOP_DEADLINE_MS);
        const balances: Balance[] = [];
        for (const name of MEASURES) balances.push(await balance(name));
        return balances;
      } finally {
        agent.abort();
        agent.close();
      }
    },
  };
}
