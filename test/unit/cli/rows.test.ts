import { Writable } from "node:stream";
import { expect } from "chai";
import { dryRunSink } from "../../../src/cli/dry-run.js";
import { dailyVolume } from "../../../src/cli/volume.js";
import { loadConfig } from "../../../src/config/load.js";
import { readSchema } from "../../../src/config/schema-files.js";
import type { Log } from "../../../src/model/log.js";
import { makeSample, type Tick } from "../../../src/model/tick.js";

const SCHEMA = readSchema();

function pageCacheTick(reads: number): Tick {
  const measure = SCHEMA.measures.find(({ name }) => name === "page_cache");
  if (!measure) throw new Error("no measure page_cache");
  const values: Record<string, number> = { reads, pages_hit: 3, pages_missed: 1 };
  return {
    timestampMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    version: 1n,
    intervalMs: 1000,
    samples: [makeSample(measure, [], (source) => values[source])],
  };
}

/** A standard output that takes lines as long as `open` says, and the causes that were logged. */
function fixture() {
  const lines: string[] = [];
  const causes: string[] = [];
  const reader = { open: true };
  const stdout = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      lines.push(line);
      if (reader.open) done();
    },
  });
  const quiet = () => undefined;
  const throttled = (cause: string) => causes.push(cause);
  const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet, throttled };
  const sink = dryRunSink({ group: SCHEMA.group, identity: ["h:17912", "c", "r", "t"], stdout, log });
  return { sink, lines, causes, reader, stdout };
}

describe("a dry run", () => {
  it("prints each row as BanyanDB would have it, without what is absent", () => {
    const { sink, lines } = fixture();
    sink.enqueue(pageCacheTick(7));
    expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal([
      {
        time: "2026-01-02T03:04:05.006Z",
        measure: "page_cache",
        tags: { node_id: "h:17912", cluster: "c", node_role: "r", node_type: "t" },
        fields: {
          reads: 7,
          pages_hit: 3,
          pages_missed: 1,
          hit_rate_percent: 75,
          miss_rate_percent: 25,
          interval_ms: 1000,
        },
      },
    ]);
  });

  it("leaves out rows that nobody reads, and says so, rather than holding them", () => {
    const { sink, causes, reader, stdout } = fixture();
    reader.open = false;
    for (let i = 0; i < 10_000; i++) sink.enqueue(pageCacheTick(i));
    expect(stdout.writableLength).to.be.below(1024 * 1024 + 1000);
    expect(causes).to.include("dry run");
  });
});

describe("the daily volume", () => {
  const volume = (interval: string) => {
    const { config } = loadConfig({
      file: { path: "none", named: false },
      environment: {},
      flags: [{ key: "interval", text: interval, flag: "--interval" }],
      hostname: "h",
      readFile: () => ({ text: "", ownerId: 0, mode: 0o644 }),
      ownIds: [],
    });
    return dailyVolume(config, SCHEMA);
  };

  it("is a row of each measure for each interval", () => {
    expect(volume("10s").rowsPerDay).to.equal(8640 * SCHEMA.measures.length);
    expect(volume("1s").rowsPerDay).to.equal(86_400 * SCHEMA.measures.length);
  });

  it("counts the bytes of encoded rows", () => {
    const { rowsPerDay, bytesPerDay } = volume("10s");
    expect(bytesPerDay / rowsPerDay).to.be.within(100, 500);
  });

  it("tells how long an outage every row is kept, and how wide rows get until the age where counts are lost", () => {
    const { outage } = volume("10s");
    expect(outage.withoutLossMs).to.equal(7 * 86_400_000);
    expect(outage.fullResolutionMs % 10_000).to.equal(0);
    expect(outage.fullResolutionMs).to.be.within(60_000, outage.withoutLossMs);
    // Merging neighbours doubles intervals, until the rows of the age fit into the queue.
    const held = outage.fullResolutionMs / 10_000;
    expect(Math.log2(outage.widestRowMs / 10_000) % 1).to.equal(0);
    expect(held * outage.widestRowMs).to.be.at.least(outage.withoutLossMs);
    expect((held * outage.widestRowMs) / 2).to.be.below(outage.withoutLossMs);
    expect(volume("1s").outage.fullResolutionMs * 10).to.equal(outage.fullResolutionMs);
  });
});
