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
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import PQueue from "p-queue";
import { boot, type Machine, type Outcome } from "./boot.js";
import { openKernelSource, type LocalKernel } from "./fetch.js";
import { arm64UserSpace } from "./foreign-user-space.js";
import { makeGuestFiles, type GuestFiles } from "./image.js";
import { makeInitrd } from "./initrd.js";
import { withProgress } from "./progress.js";
import {
  FACTS,
  KERNELS_MIN,
  bootsOf,
  isWhole,
  parametersOf,
  suiteOf,
  wantedSeries,
  type Boot,
  type ServedKernel,
} from "./kernels.js";
import { processorNamed } from "./processors.js";
import { writeRecording } from "./recorded-facts.js";
import { parseSerial } from "./serial.js";
import { ownUserSpace } from "./user-space.js";
import { formatTable, hasPassed, rowsOf, rowsWithout, total, type Row } from "./verdict.js";

/** One guest keeps about one processor busy. */
const BOOTS_AT_A_TIME = 2;
/** A guest that hangs is ended. A boot takes 5 s, all suites some minutes, or a quarter of an hour on a busy machine. */
const BOOT_LIMIT_MS = 60_000;
const SUITE_LIMIT_MS = 20 * 60_000;

/**
 * QEMU 7.2 with several emulated processors may run an instruction that the kernel has just replaced: as a breakpoint
 * (seen on 7.3, in sched_clock_cpu and __bpf_prog_exit_recur), or again and again (seen on 6.1, both processors for
 * 80 s on the no-operation in bpf_trace_run1 that switching the statistics of BPF replaces). No processor does either.
 */
const QEMU_FAULT = /Oops: int3|soft lockup[^]*RIP: \S+:bpf_trace_run\d+\+/;
const BOOT_ATTEMPTS = 3;

// Without a handler a signal ends the process before its exit handlers run.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

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
const source = await withProgress("asking the mirror for kernels", () => openKernelSource(processor)).catch(
  (error: unknown) => {
    console.log(`no kernel can be had: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
const { served } = source;
const chosen = chosenSeries(options.kernels);
const wanted = chosen.flatMap((name) => served.filter(({ series }) => series === name));
const userSpace = await (processor.architecture === "arm64"
  ? arm64UserSpace(source.apt, source.cache, processor.pageBytes)
  : ownUserSpace());
const rows = await runMatrix(wanted);
const absent = chosen.filter((name) => !served.some(({ series }) => series === name));

console.log(`\n${formatTable(rows, absent)}\n`);
const { passed, failed, problems } = total(rows, options.kernels === undefined ? KERNELS_MIN : chosen.length);
for (const problem of problems) console.log(problem);
console.log(`${passed} passed, ${failed} failed`);
if (options.results !== undefined) writeFileSync(options.results, JSON.stringify({ passed, failed }));
process.exitCode = failed > 0 ? 1 : 0;

/** The whole matrix, or the series that the option lists; `newest` is the newest that is served. */
function chosenSeries(option: string | undefined): string[] {
  if (option === undefined) return wantedSeries(served);
  return option.split(",").map((name) => (name === "newest" ? (served.at(-1)?.series ?? name) : name));
}

async function runMatrix(kernels: readonly ServedKernel[]): Promise<Row[]> {
  const files = makeGuestFiles(temporaryFolder(), userSpace, processor.pageBytes);
  const queue = new PQueue({ concurrency: BOOTS_AT_A_TIME });
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

/** Is removed when this process ends, also by a signal. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "vm-files-"));
  process.on("exit", () => {
    rmSync(folder, { recursive: true });
  });
  return folder;
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
  const whole = isWhole(series, served.at(-1)?.series ?? "", wantedBoot);
  const suites = wantedBoot.tiers.map((tier) => `${tier} ${chosenFiles(suiteOf(kernel, tier, whole))}`);
  if (options.facts !== undefined) suites.push(`facts ${FACTS}`);
  const preemption = wantedBoot.preemption === "full" ? ["preempt=full"] : [];
  const parameters = [...parametersOf(series), ...preemption];
  const initrd = makeInitrd(userSpace.busybox, modules, suites);
  const limitMs = BOOT_LIMIT_MS + suites.length * SUITE_LIMIT_MS;
  const machine = { processor, image, initrd, files, hasDisks: hasModules, parameters, limitMs };
  const name = `${kernel.version}, preempt=${wantedBoot.preemption}, ${wantedBoot.tiers.join(", ")}`;
  const outcome = await withProgress(name, () => bootToTests(machine, name));
  const result = rowsOf(kernel, wantedBoot, outcome);
  const { facts } = parseSerial(outcome.serial);
  if (options.facts !== undefined && facts !== undefined && wantedBoot.preemption === "default")
    writeRecording(options.facts, `${processor.name}-${series}`, facts);
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  for (const row of result) show(row, seconds);
  return result;
}

/** Boots once more where the guest went down before its first test, or by the fault of QEMU; and says so. */
async function bootToTests(machine: Machine, name: string): Promise<Outcome> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await boot(machine);
    const began = parseSerial(outcome.serial).suites.length > 0;
    if (attempt === BOOT_ATTEMPTS || (began && !QEMU_FAULT.test(outcome.console))) return outcome;
    const [reason = "no word on its console"] = /(Kernel panic|Oops).*/.exec(outcome.console) ?? [];
    console.log(`! ${name}: went down (${reason}), booted once more`);
  }
}

/** At once, and all that its tests printed when it did not pass. */
function show(row: Row, seconds: string): void {
  const { version, preemption, tier, passed, failed } = row;
  const what = `${version}, preempt=${preemption}, tier ${tier}: ${passed} passed, ${failed} failed`;
  console.log(`${hasPassed(row) ? "✓" : "✗"} ${what}, ${seconds} s for the whole boot`);
  if (!hasPassed(row)) console.log(`  ${row.log.replaceAll("\n", "\n  ")}`);
}
