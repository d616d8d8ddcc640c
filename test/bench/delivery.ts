/**
 * What a point costs to encode and to send, in CPU time of this process: `npm run bench:delivery`. The widest
 * measure of schema/, batches of 1000; the other ways to make the same bytes beside it, and the same stream with
 * bytes that were made before. The server is another process that counts and acknowledges, and then a `banyand` in
 * PATH where there is one. Exits 1 where a number is missed.
 */
import { fromBinary, equals } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { Sendable } from "../../src/banyandb/message-run.js";
import { parseReply } from "../../src/banyandb/reply.js";
import { compileMapping, type RowMapping } from "../../src/banyandb/rows.js";
import { readBack } from "../../src/banyandb/read-back.js";
import { ensureSchema } from "../../src/banyandb/schema-ensure.js";
import { wantedMeasure } from "../../src/banyandb/schema-wanted.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import { readAll, writeAll, type StreamResult } from "../../src/banyandb/write-stream.js";
import type { BanyandbConfig } from "../../src/config/config.js";
import { readSchema } from "../../src/config/schema-files.js";
import { MeasureService, WriteRequestSchema } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { makeSample, tickVersion, type Tick } from "../../src/model/tick.js";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { present } from "../support/present.js";
import { startSinkProcess } from "../support/sink-process.js";
import { seededRandom } from "../support/ticks.js";
import { ENCODERS, type EncodeRow } from "./write-encoders.js";
import { plainConfig } from "../support/banyandb-config.js";

const BATCH = 1000;
const BATCHES = 30;
const ROUNDS = 7;
/** The first ones are for the compiler. */
const WARM_UP = 2;
const CALL = { deadlineMs: 30_000 };
const TICKS = 50;
const INTERVAL_MS = 10_000;
const ENCODE_US = 2;
const SEND_RATIO = 1.3;

const schema = readSchema();
const measure = present([...schema.measures].sort((a, b) => b.fields.length - a.fields.length)[0]);
const identity = ["host-a.example:17912", "production", "data", "hot"];
const server = wantedMeasure("ebpf", schema.group, measure);
present(server.metadata).modRevision = 1_764_000_000_123_456_789n;
const mapping: RowMapping = compileMapping(measure, schema.group, identity, server);
const random = seededRandom(1);
/** So that the last tick is now. */
const beganMs = Math.floor(Date.now() / 1000) * 1000 - BATCHES * TICKS * INTERVAL_MS;

/** A batch: 50 ticks of 20 points. */
const batches: readonly (readonly Tick[])[] = Array.from({ length: BATCHES }, (_, batch) =>
  Array.from({ length: TICKS }, (_, i): Tick => {
    const timestampMs = beganMs + (batch * TICKS + i) * INTERVAL_MS;
    const tags = measure.tags.map(({ name }) => `${name}-1`);
    const samples = Array.from({ length: BATCH / TICKS }, () =>
      makeSample(measure, tags, () => Math.floor(random() * 1e6)),
    );
    return { timestampMs, version: tickVersion(timestampMs, i), intervalMs: INTERVAL_MS, samples };
  }),
);

function encodeBatch(row: EncodeRow, ticks: readonly Tick[]): Uint8Array[] {
  const rows: Uint8Array[] = [];
  for (const tick of ticks)
    for (const sample of tick.samples) rows.push(row(mapping, tick, sample, rows.length + 1));
  return rows;
}

/**
 * Microseconds of CPU per point, one for each run: the least of the rounds, in which the runs take turns, so that
 * whatever else the machine does meets all of them.
 */
async function cpuPerPoint(runs: readonly (() => Promise<void> | void)[]): Promise<number[]> {
  const least = runs.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const [i, run] of runs.entries()) {
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      if (round < WARM_UP) continue;
      least[i] = Math.min(present(least[i]), (user + system) / (BATCHES * BATCH));
    }
  }
  return least;
}

const reference = encodeBatch(present(ENCODERS[0]).make(), present(batches[0]));
console.log(
  `measure ${measure.name}: ${measure.fields.length} fields, ${present(reference[0]).length} bytes; ` +
    `batches of ${BATCH}, Node ${process.versions.node}`,
);
console.log("encode, CPU per point (deriving the fields included)");
for (const { name, make } of ENCODERS) {
  const same = encodeBatch(make(), present(batches[0])).every((bytes, i) =>
    equals(
      WriteRequestSchema,
      fromBinary(WriteRequestSchema, bytes),
      fromBinary(WriteRequestSchema, present(reference[i])),
    ),
  );
  const encode = (): void => {
    const row = make();
    for (const ticks of batches) encodeBatch(row, ticks);
  };
  const us = present((await cpuPerPoint([encode]))[0]);
  console.log(`  ${name.padEnd(36)} ${us.toFixed(2)} us${same ? "" : ", and another message"}`);
  if (name === ENCODERS[0]?.name && us > ENCODE_US) process.exitCode = 1;
}

const row = present(ENCODERS[0]).make() as (...args: Parameters<EncodeRow>) => Buffer;

function encodeFor(server: RowMapping, ticks: readonly Tick[]): Buffer[] {
  return encodeBatch((_, ...rest) => row(server, ...rest), ticks) as Buffer[];
}

type SendBatch = (messages: readonly Buffer[]) => Promise<StreamResult>;

/** As everybody sends with grpc-js: each message by a write of its own. */
function sendAlone(address: string): { readonly send: SendBatch; readonly close: () => void } {
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  const { typeName, method } = MeasureService;
  return {
    async send(messages) {
      const path = `/${typeName}/${method.write.name}`;
      const stream = client.makeBidiStreamRequest(path, (message: Sendable) => message as Buffer, parseReply);
      const result = readAll(stream);
      await writeAll(stream, messages, result);
      return result;
    },
    close: () => {
      client.close();
    },
  };
}

/** Encoded beside constant bytes, sent by the transport in runs, and each alone. */
async function compareStreams(transport: Transport, address: string, server: RowMapping): Promise<void> {
  const sendAll = async (send: SendBatch, messagesOf: (ticks: readonly Tick[]) => readonly Buffer[]) => {
    for (const ticks of batches) {
      const { replies, status } = await send(messagesOf(ticks));
      if (status.code !== "OK" || replies.length !== BATCH) throw new Error(JSON.stringify(status));
    }
  };
  const constant = encodeFor(server, present(batches[0]));
  const inRuns: SendBatch = (messages) => transport.writeBatch(messages, CALL);
  const alone = sendAlone(address);
  const [aloneUs = 0, runsUs = 0, encodedUs = 0] = await cpuPerPoint([
    () => sendAll(alone.send, () => constant),
    () => sendAll(inRuns, () => constant),
    () => sendAll(inRuns, (ticks) => encodeFor(server, ticks)),
  ]);
  alone.close();
  const ratio = encodedUs / aloneUs;
  console.log(`  the same bytes again, each by a write of its own  ${aloneUs.toFixed(2)} us`);
  console.log(`  the same bytes again, as the sidecar sends        ${runsUs.toFixed(2)} us`);
  console.log(`  encoded                                           ${encodedUs.toFixed(2)} us`);
  console.log(
    `  ratio to the first ${ratio.toFixed(2)} (must be <= ${SEND_RATIO.toFixed(2)}), ` +
      `to the second ${(encodedUs / runsUs).toFixed(2)}`,
  );
  if (ratio > SEND_RATIO) process.exitCode = 1;
}

console.log("send and read the replies, CPU per point");
const sink = await startSinkProcess();
const transport = openTransport({ endpoints: [sink.address], username: undefined, password: undefined });
await compareStreams(transport, sink.address, mapping);
transport.close();
await sink.close();

const banyandb = await startBanyandbServer();
if (banyandb.kind !== "embedded") {
  const config: BanyandbConfig = plainConfig(banyandb.address, `bench_${process.pid}`);
  const real = openTransport(config);
  const ensured = await ensureSchema({ transport: real, config, schema }, identity);
  if (ensured.state !== "ready") throw new Error(ensured.diff.join("; "));
  await compareStreams(real, banyandb.address, present(ensured.mappings.get(measure)));
  const range = { fromMs: beganMs, toMs: Date.now() };
  const asked = { transport: real, group: config.group, groupSpec: schema.group, measure, identity };
  const { rows } = await readBack({ ...asked, ...range });
  const ticks = BATCHES * TICKS;
  console.log(`  rows that a query returns            ${rows.length} (one for each of ${ticks} times)`);
  if (rows.length !== ticks) process.exitCode = 1;
  real.close();
}
await banyandb.close();
