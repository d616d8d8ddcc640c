/**
 * The matrix: boots each kernel and runs the kernel tests in it, then prints one table. The last line is
 * `N passed, N failed`, where each test counts, and each thing that kept tests from running.
 *
 *   node dist/test/vm/run.js [--kernels 6.12,newest] [--preemption default] [--tiers auto] [--suites reads,target]
 *     [--arch arm64] [--facts FOLDER] [--results FILE]
 *
 * The first four are lists; without them, all that kernels.ts has. Suites are files of test/kernel/, for the boots that
 * would run many of them. The results file gets the last line as JSON. Another processor needs what
 * foreign-user-space.ts and processors.ts name. The folder gets what the addon says of each kernel as it is built.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { LocalKernel } from "./fetch.js";
import { arm64UserSpace } from "./foreign-user-space.js";
import type { GuestFiles } from "./image.js";
import { withProgress } from "./progress.js";
import {
  FACTS,
  KERNELS_MIN,
  bootsOf,
  isWhole,
  parametersOf,
  suiteOf,
  type Boot,
  type ServedKernel,
} from "./kernels.js";
import { bootQueue, bootToTests, openLab, temporaryFiles } from "./lab.js";
import { processorNamed } from "./processors.js";
import { writeRecording } from "./recorded-facts.js";
import { parseSerial } from "./serial.js";
import { ownUserSpace } from "./user-space.js";
import { formatTable, hasPassed, rowsOf, rowsWithout, total, type Row } from "./verdict.js";

const { values: options } = parseArgs({
  options: {
    kernels: { type: "string" },
    preemption: { type: "string" },
    tiers: { type: "string" },
    suites: { type: "string" },
    arch: { type: "string", default: "amd64" },
    facts: { type: "string" },
    results: { type: "string" },
  },
});
const processor = processorNamed(options.arch);
const { source, chosen, wanted, absent } = await openLab(processor, options.kernels);
const newest = source.served.at(-1)?.series ?? "";
const userSpace = await (processor.architecture === "arm64"
  ? arm64UserSpace(source.apt, source.cache, processor.pageBytes)
  : ownUserSpace());
const rows = await runMatrix(wanted);

console.log(`\n${formatTable(rows, absent)}\n`);
const { passed, failed, problems } = total(rows, options.kernels === undefined ? KERNELS_MIN : chosen.length);
for (const problem of problems) console.log(problem);
console.log(`${passed} passed, ${failed} failed`);
if (options.results !== undefined) writeFileSync(options.results, JSON.stringify({ passed, failed }));
process.exitCode = failed > 0 ? 1 : 0;

async function runMatrix(kernels: readonly ServedKernel[]): Promise<Row[]> {
  const files = temporaryFiles(userSpace, processor);
  const queue = bootQueue();
  // The newest first: they take longest, and nobody waits for the last of them alone.
  const results = kernels.toReversed().map(async (one) => {
    const wantedBoots = chosenBoots(one);
    try {
      const kernel = await queue.add(() => withProgress(`fetching ${one.version}`, () => source.fetch(one)));
      return await Promise.all(wantedBoots.map((each) => queue.add(() => runBoot(kernel, each, files))));
    } catch (error) {
      return wantedBoots.map((each) => rowsWithout(one, each, String(error)));
    }
  });
  return (await Promise.all(results)).reverse().flat(2);
}

function chosenBoots(kernel: ServedKernel): Boot[] {
  const isChosen = (option: string | undefined, name: string) => option?.split(",").includes(name) ?? true;
  return bootsOf(kernel, processor.architecture)
    .filter(({ preemption }) => isChosen(options.preemption, preemption))
    .map((one) => ({ ...one, tiers: one.tiers.filter((tier) => isChosen(options.tiers, tier)) }))
    .filter(({ tiers }) => tiers.length > 0);
}

function chosenFiles(suite: string): string {
  // Only the boots that would run many of them.
  if (options.suites === undefined || (!suite.includes("kernel/evictions") && !suite.includes("*")))
    return suite;
  const names = options.suites.split(",");
  return names.map((name) => `dist/test/kernel/${name}.test.js`).join(" ");
}

/** Runs all tiers of one boot. */
async function runBoot(kernel: LocalKernel, wantedBoot: Boot, files: GuestFiles): Promise<Row[]> {
  const { image, modules, series, hasModules } = kernel;
  const begin = performance.now();
  const whole = isWhole(series, newest, wantedBoot);
  const suites = wantedBoot.tiers.map((tier) => `${tier} ${chosenFiles(suiteOf(kernel, tier, whole))}`);
  if (options.facts !== undefined) suites.push(`facts ${FACTS}`);
  const preemption = wantedBoot.preemption === "full" ? ["preempt=full"] : [];
  const parameters = [...parametersOf(series), ...preemption];
  const name = `${kernel.version}, preempt=${wantedBoot.preemption}, ${wantedBoot.tiers.join(", ")}`;
  const { busybox } = userSpace;
  const guest = { processor, image, busybox, modules, suites, files, hasDisks: hasModules, parameters };
  const outcome = await bootToTests(guest, name);
  const result = rowsOf(kernel, wantedBoot, outcome);
  const { facts } = parseSerial(outcome.serial);
  if (options.facts !== undefined && facts !== undefined && wantedBoot.preemption === "default")
    writeRecording(options.facts, `${processor.name}-${series}`, facts);
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  for (const row of result) show(row, seconds);
  return result;
}

/** At once, and all that its tests printed when it did not pass. */
function show(row: Row, seconds: string): void {
  const { version, preemption, tier, passed, failed } = row;
  const what = `${version}, preempt=${preemption}, tier ${tier}: ${passed} passed, ${failed} failed`;
  console.log(`${hasPassed(row) ? "✓" : "✗"} ${what}, ${seconds} s for the whole boot`);
  if (!hasPassed(row)) console.log(`  ${row.log.replaceAll("\n", "\n  ")}`);
}
