/** Prints what one row of page_cache costs to encode: `node dist/test/bench/encode.js` (docs/decisions/0002). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createEncoder } from "../../src/banyandb/encode.js";
import { compileMapping } from "../../src/banyandb/rows.js";
import { wantedMeasure } from "../../src/banyandb/schema-wanted.js";
import { parseGroup, parseMeasure } from "../../src/model/measure.js";
import { makeSample, tickVersion, type Tick } from "../../src/model/tick.js";
import { packageRoot } from "../support/package-root.js";
import { seededRandom } from "../support/ticks.js";

const ROUNDS = 8;
const TICKS = 20;
const SAMPLES = 1000;

function readSchema(file: string): unknown {
  return JSON.parse(readFileSync(join(packageRoot, "schema", file), "utf8"));
}

const group = parseGroup("group.json", readSchema("group.json"));
const measure = parseMeasure("page_cache.json", readSchema("page_cache.json"));
const identity = ["host-a:17912", "n/a", "n/a", "n/a"];
const mapping = compileMapping(measure, group, identity, wantedMeasure("ebpf", group, measure));
const random = seededRandom(1);
const ticks = Array.from({ length: TICKS }, (_, i): Tick => {
  const timestampMs = 1_764_000_000_000 + i * 10_000;
  const samples = Array.from({ length: SAMPLES }, () =>
    makeSample(measure, [], () => Math.floor(random() * 1e6)),
  );
  return { timestampMs, version: tickVersion(timestampMs, i), intervalMs: 10_000, samples };
});

let bytes = 0;
for (let round = 0; round < ROUNDS; round++) {
  const encoder = createEncoder();
  bytes = 0;
  const beganMs = performance.now();
  for (const tick of ticks) {
    tick.samples.forEach((sample, i) => {
      bytes += encoder.row(mapping, tick, sample, i + 1).length;
    });
  }
  const us = ((performance.now() - beganMs) * 1000) / (TICKS * SAMPLES);
  console.log(`round ${round + 1}: ${us.toFixed(2)} us per row`);
}
console.log(`${Math.round(bytes / (TICKS * SAMPLES))} bytes, ${measure.fields.length} fields`);
