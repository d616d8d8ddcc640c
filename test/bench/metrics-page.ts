/** What one scrape of /metrics costs: CPU time to render the page, by number of components. `npm run bench:metrics`. */
import { readSchema } from "../../src/config/schema-files.js";
import { addToTotals } from "../../src/model/totals.js";
import { makeSample, type Tick } from "../../src/model/tick.js";
import { metricsPage } from "../../src/observe/metrics.js";
import { HEALTHY } from "../support/status.js";

const WARM_UP = 200;
const ROUNDS = 1000;
const COMPONENTS = [1, 8, 64, 256];

const schema = readSchema();

function tickOf(components: number): Tick {
  const samples = schema.measures.flatMap((measure) => {
    const rows = measure.name === "page_cache_component" ? components : 1;
    return Array.from({ length: rows }, (_, row) =>
      makeSample(
        measure,
        measure.tags.map(({ name }) => `${name}-${row}`),
        (source) => source.length * 1e9 + row,
      ),
    );
  });
  return { timestampMs: 1, version: 1n, intervalMs: 10_000, samples };
}

for (const components of COMPONENTS) {
  const totals = addToTotals(undefined, tickOf(components));
  const render = metricsPage(schema);
  let page = "";
  for (let i = 0; i < WARM_UP; i++) page = render({ status: HEALTHY, totals });
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < ROUNDS; i++) page = render({ status: HEALTHY, totals });
  const used = process.cpuUsage();
  const lines = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const us = (used.user + used.system - user - system) / ROUNDS;
  console.log(
    `${components} components: ${lines.length} samples, ${Math.round(page.length / 1024)} KiB, ${Math.round(us)} us CPU a scrape`,
  );
}
