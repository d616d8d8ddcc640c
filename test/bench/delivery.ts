/**
 * What a point costs to encode and to send, in CPU time of this process: `npm run bench:delivery`. The widest
 * measure of schema/, batches of 1000; the other ways to make the same bytes beside it, and the same stream with
 * bytes that were made before. The server is another process that counts and acknowledges.
 */
import { fromBinary, equals } from "@bufbuild/protobuf";
import { compileMapping, type RowMapping } from "../../src/banyandb/rows.js";
import { wantedMeasure } from "../../src/banyandb/schema-wanted.js";
import { openTransport } from "../../src/banyandb/transport.js";
import { readSchema } from "../../src/config/schema-files.js";
import { WriteRequestSchema } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { makeSample, tickVersion, type Tick } from "../../src/model/tick.js";
import { present } from "../support/present.js";
import { startSinkProcess } from "../support/sink-process.js";
import { seededRandom } from "../support/ticks.js";
import { ENCODERS, type EncodeRow } from "./write-encoders.js";

const BATCH = 1000;
const BATCHES = 30;
const ROUNDS = 7;
/** The first ones are for the compiler. */
const WARM_UP = 2;
const CALL = { deadlineMs: 30_000 };

const schema = readSchema();
const measure = present([...schema.measures].sort((a, b) => b.fields.length - a.fields.length)[0]);
const identity = ["host-a.example:17912", "production", "data", "hot"];
const server = wantedMeasure("ebpf", schema.group, measure);
present(server.metadata).modRevision = 1_764_000_000_123_456_789n;
const mapping: RowMapping = compileMapping(measure, schema.group, identity, server);
const random = seededRandom(1);

/** A batch: 50 ticks of 20 points. */
const batches: readonly (readonly Tick[])[] = Array.from({ length: BATCHES }, (_, batch) =>
  Array.from({ length: 50 }, (_, i): Tick => {
    const timestampMs = 1_764_000_000_000 + (batch * 50 + i) * 10_000;
    const tags = measure.tags.map(({ name }) => `${name}-1`);
    const samples = Array.from({ length: BATCH / 50 }, () =>
      makeSample(measure, tags, () => Math.floor(random() * 1e6)),
    );
    return { timestampMs, version: tickVersion(timestampMs, i), intervalMs: 10_000, samples };
  }),
);

function encodeBatch(row: EncodeRow, ticks: readonly Tick[]): Uint8Array[] {
  const rows: Uint8Array[] = [];
  for (const tick of ticks)
    for (const sample of tick.samples) rows.push(row(mapping, tick, sample, rows.length + 1));
  return rows;
}

/** Microseconds of CPU per point; the median of the rounds. */
async function cpuPerPoint(run: () => Promise<void> | void): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    if (round >= WARM_UP) rounds.push((user + system) / (BATCHES * BATCH));
  }
  return present(rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]);
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
  const us = await cpuPerPoint(() => {
    const row = make();
    for (const ticks of batches) encodeBatch(row, ticks);
  });
  console.log(`  ${name.padEnd(36)} ${us.toFixed(2)} us${same ? "" : ", and another message"}`);
}

const sink = await startSinkProcess();
const transport = openTransport({ endpoints: [sink.address], username: undefined, password: undefined });
const constant = reference.map((bytes) => Buffer.from(bytes));
async function send(messagesOf: (ticks: readonly Tick[]) => readonly Buffer[]): Promise<void> {
  for (const ticks of batches) {
    const { replies, status } = await transport.writeBatch(messagesOf(ticks), CALL);
    if (status.code !== "OK" || replies.length !== BATCH) throw new Error(JSON.stringify(status));
  }
}
const row = present(ENCODERS[0]).make() as (...args: Parameters<EncodeRow>) => Buffer;
console.log("send and read the replies, CPU per point");
// In turn, so that whatever else the machine does meets both.
const constantUs = await cpuPerPoint(() => send(() => constant));
const encodedUs = await cpuPerPoint(() => send((ticks) => encodeBatch(row, ticks) as Buffer[]));
const againUs = await cpuPerPoint(() => send(() => constant));
const baseUs = Math.min(constantUs, againUs);
console.log(`  the same bytes again                 ${baseUs.toFixed(2)} us`);
console.log(`  encoded                              ${encodedUs.toFixed(2)} us`);
console.log(`  ratio                                ${(encodedUs / baseUs).toFixed(2)} (must be <= 1.30)`);
transport.close();
await sink.close();
