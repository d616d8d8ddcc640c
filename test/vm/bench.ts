/**
 * What our programs cost on the way of a hot read, on other kernels: boots each and prints one table, kernel by kind of
 * program. The guests' clock counts instructions, so the table is the same whatever else runs here; it has neither
 * caches nor a pipeline, so only what is compared within a line means something.
 *
 *   node dist/test/vm/bench.js [--kernels 5.10,6.12,newest]
 */
import { parseArgs } from "node:util";
import type { Ratios } from "../bench/kernel-ratios.js";
import { tools } from "../bench/kernel-tools.js";
import { COSTS, parametersOf, type Boot, type ServedKernel } from "./kernels.js";
import { bootQueue, bootToTests, openLab, temporaryFiles } from "./lab.js";
import { processorNamed } from "./processors.js";
import { parseSerial } from "./serial.js";
import { ownUserSpace } from "./user-space.js";
import { hasPassed, inColumns, rowsOf } from "./verdict.js";

const BOOT: Boot = { preemption: "default", tiers: ["auto"] };
const HEADER = ["kernel", "tier", "empty", "target", "other process", "target, timed", "other syscall"];

const { values: options } = parseArgs({ options: { kernels: { type: "string" } } });
const processor = processorNamed("amd64");
const { source, wanted, absent } = await openLab(processor, options.kernels);
const { hotLoop, attach, objects } = tools();
const userSpace = ownUserSpace([hotLoop, attach, ...objects]);
const files = temporaryFiles(userSpace, processor);
const queue = bootQueue();
const tables = await Promise.all(wanted.map((kernel) => queue.add(() => linesOf(kernel))));

console.log(
  "\nInstructions that an empty program adds to a hot pread of 4 KiB; ours as a multiple of that.\n",
);
console.log(inColumns([HEADER, ...absent.map((series) => [series, "NOT TO BE HAD"]), ...tables.flat()]));

/** Lines of the table; what went wrong is one too. */
async function linesOf(served: ServedKernel): Promise<string[][]> {
  try {
    return await measured(served);
  } catch (error) {
    process.exitCode = 1;
    return [[served.version, String(error)]];
  }
}

async function measured(served: ServedKernel): Promise<string[][]> {
  const { version, series, hasModules } = served;
  const { image, modules } = await source.fetch(served);
  const guest = {
    processor,
    image,
    busybox: userSpace.busybox,
    modules,
    suites: [`auto ${COSTS}`],
    files,
    hasDisks: hasModules,
    parameters: parametersOf(series),
    countsInstructions: true,
  } as const;
  const outcome = await bootToTests(guest, version);
  const failed = rowsOf(served, BOOT, outcome).filter((row) => !hasPassed(row));
  for (const { log } of failed) console.log(log);
  const { costs = "[]" } = parseSerial(outcome.serial);
  const lines = (JSON.parse(costs) as Ratios[]).map((ratios) => [version, ...cellsOf(ratios)]);
  if (failed.length === 0) return lines;
  process.exitCode = 1;
  return [...lines, ...failed.map(({ problem }) => [version, problem ?? "FAILED"])];
}

function cellsOf({ tier, kind, emptyNs, target, other, targetTimed, syscallNs }: Ratios): string[] {
  const times = (value: number | null) => (value === null ? "–" : `${value.toFixed(2)} x`);
  const more = (value: number) => `${value < 0 ? "" : "+"}${value.toFixed(0)}`;
  const name = tier.replace("ours, ", "");
  return [
    `${name}, ${kind}`,
    more(emptyNs),
    times(target),
    times(other),
    times(targetTimed),
    more(syscallNs),
  ];
}
