/** A real Prometheus that scrapes what it is given every second. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startService, waitUntil } from "./process.js";

export interface Point {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusServer {
  /** Instant query; `atMs` now, if absent. @throws Error with what Prometheus says of a bad one */
  query(expression: string, atMs?: number): Promise<readonly Point[]>;
  close(): Promise<void>;
}

export interface ScrapeJob {
  readonly name: string;
  readonly port: number;
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}

const START_MS = 30_000;

/** `folder` holds the program; rule files are loaded too. */
export async function startPrometheus(
  folder: string,
  jobs: readonly ScrapeJob[],
  ruleFiles: readonly string[],
): Promise<PrometheusServer> {
  const home = mkdtempSync(join(tmpdir(), "check-prometheus-"));
  mkdirSync(join(home, "data"));
  const config = {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: ruleFiles,
    scrape_configs: jobs.map(({ name, port }) => ({
      job_name: name,
      static_configs: [{ targets: [`127.0.0.1:${port}`] }],
    })),
  };
  // JSON is YAML.
  writeFileSync(join(home, "prometheus.yml"), JSON.stringify(config));
  const port = await freePort();
  const service = startService(join(folder, "prometheus"), [
    `--config.file=${join(home, "prometheus.yml")}`,
    `--storage.tsdb.path=${join(home, "data")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const base = `http://127.0.0.1:${port}`;
  const close = async () => {
    await service.stop();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await waitUntil(
      "Prometheus is ready",
      START_MS,
      async () => ((await fetch(`${base}/-/ready`)).ok ? true : undefined),
      service,
    );
  } catch (error) {
    await close();
    throw error;
  }
  return { query: (expression, atMs) => query(base, expression, atMs), close };
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly { metric: Record<string, string>; value: [number, string] }[];
  };
}

async function query(base: string, expression: string, atMs?: number): Promise<Point[]> {
  const body = new URLSearchParams({
    query: expression,
    ...(atMs === undefined ? {} : { time: String(atMs / 1000) }),
  });
  const answer = (await (await fetch(`${base}/api/v1/query`, { method: "POST", body })).json()) as Answer;
  if (answer.status !== "success") throw new Error(answer.error ?? "no answer");
  if (answer.data?.resultType !== "vector") return [{ metric: {}, value: Number.NaN }];
  return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}
