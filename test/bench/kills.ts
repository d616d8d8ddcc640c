/**
 * `npm run bench:kills [-- --kills N --seed N]`: so many random kill -9 of the sidecar under load, with outages, and
 * then the sums that a query returns beside the kernel's counters. Against a `banyand` in PATH, else the embedded one.
 */
import { parseArgs } from "node:util";
import { runKills } from "../support/kill-run.js";

const { values } = parseArgs({
  options: { kills: { type: "string", default: "200" }, seed: { type: "string" } },
});
const kills = Number(values.kills);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const beganMs = performance.now();
console.log(`${kills} kills, seed ${seed}`);
const { kernel, stored, components, truth, rows, server } = await runKills({
  kills,
  seed,
  progress: (done) => {
    if (done % 10 === 0)
      console.log(`${done} kills after ${Math.round((performance.now() - beganMs) / 1000)} s`);
  },
});
console.log(`server ${server}, ${rows} rows; target by its own count: ${JSON.stringify(truth)}`);
console.table(
  Object.fromEntries(
    Object.keys(kernel).map((name) => [
      name,
      { kernel: kernel[name], stored: stored[name], components: components[name] },
    ]),
  ),
);
const wrong = Object.keys(kernel).filter(
  (name) => kernel[name] !== stored[name] || (name !== "direct_bytes" && kernel[name] !== components[name]),
);
console.log(wrong.length === 0 ? "0 lost, 0 doubled" : `DIFFERENT: ${wrong.join(", ")}`);
process.exitCode = wrong.length === 0 ? 0 : 1;
