/** Writes and queries that make a BanyanDB flush, merge, and read what is no longer in memory. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { MeasureRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { MeasureService } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { GroupRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { connectBanyandb, type BanyandbClient } from "../support/banyandb-client.js";
import { float, groupInit, int, measureInit, str, timestamp } from "../support/banyandb-contract.js";

export interface Load {
  readonly rows: () => number;
  readonly queries: () => number;
  /** Queries and writes that the server did not answer with success. */
  readonly failures: () => number;
  stop(): Promise<void>;
}

const GROUPS = ["load_first", "load_second"] as const;
const MEASURE = "samples";
const BATCH_ROWS = 400;
const PAUSE_MS = 1000;
const TEXT_BYTES = 1500;
const NODES = 40;
const QUERY_ROWS = 100;
const QUERY_PAUSE_MS = 100;

/** Starts one writer and one reader for each of two groups. */
export async function startLoad(address: string): Promise<Load> {
  const client = connectBanyandb(address);
  const beganMs = Date.now();
  let [rows, queries, failures, stopped] = [0, 0, 0, false];

  async function write(group: string, modRevision: bigint): Promise<void> {
    const stream = client.openWrite();
    for (let i = 0; i < BATCH_ROWS; i++) {
      const tags = [str(`node-${i % NODES}`), int(i % 7), str("load")];
      const fields = [int(i), float(i / 3), str(randomBytes(TEXT_BYTES).toString("latin1"))];
      stream.send({
        metadata: { group, name: MEASURE, modRevision },
        messageId: BigInt(i + 1),
        dataPoint: {
          timestamp: timestamp(Date.now()),
          tagFamilies: [{ tags }],
          fields,
          version: BigInt(Date.now()),
        },
      });
    }
    stream.end();
    const { code } = await stream.status;
    if (code === "OK") rows += BATCH_ROWS;
    else failures++;
    await sleep(PAUSE_MS);
  }

  async function query(group: string): Promise<void> {
    // A short time somewhere in the past: mostly what has left the memory.
    const fromMs = beganMs + Math.random() * (Date.now() - beganMs);
    try {
      await client.call(MeasureService.method.query, {
        groups: [group],
        name: MEASURE,
        timeRange: { begin: timestamp(Math.floor(fromMs)), end: timestamp(Math.floor(fromMs) + 5000) },
        tagProjection: { tagFamilies: [{ name: "default", tags: ["node", "cpu", "note"] }] },
        fieldProjection: { names: ["pages", "percent", "text"] },
        limit: QUERY_ROWS,
      });
      queries++;
    } catch {
      failures++;
    }
    await sleep(QUERY_PAUSE_MS);
  }

  const until = async (act: () => Promise<void>): Promise<void> => {
    while (!stopped) await act();
  };
  const revisions = await Promise.all(GROUPS.map((group) => makeMeasure(client, group)));
  const running = GROUPS.flatMap((group, i) => [
    until(() => write(group, revisions[i] ?? 0n)),
    until(() => query(group)),
  ]);
  return {
    rows: () => rows,
    queries: () => queries,
    failures: () => failures,
    async stop() {
      stopped = true;
      await Promise.all(running);
      client.close();
    },
  };
}

async function makeMeasure(client: BanyandbClient, group: string): Promise<bigint> {
  await client.call(GroupRegistryService.method.create, { group: groupInit(group) });
  await client.call(MeasureRegistryService.method.create, { measure: measureInit(group, MEASURE) });
  const metadata = { group, name: MEASURE };
  const { measure } = await client.call(MeasureRegistryService.method.get, { metadata });
  return measure?.metadata?.modRevision ?? 0n;
}
