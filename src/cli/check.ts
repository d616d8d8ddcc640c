/** `check`: what this host offers and what is missing. Attaches for a moment, changes nothing that stays. */
import { compareSchema, serverVersion } from "../banyandb/schema-ensure.js";
import { BanyanError } from "../banyandb/errors.js";
import { openTransport } from "../banyandb/transport.js";
import type { Config, TargetConfig, TierChoice } from "../config/config.js";
import { packageRoot, configuredSchema } from "../config/schema-files.js";
import { type KernelFacts, loadAddon, type NativeAddon } from "../kernel/addon.js";
import { choosePrograms } from "../kernel/choose.js";
import { scanDirectories } from "../kernel/component-scan.js";
import { KernelError } from "../kernel/errors.js";
import { checkPins } from "../kernel/pin-check.js";
import { openKernel } from "../kernel/open-kernel.js";
import { processNames } from "../kernel/proc-files.js";
import type { Log } from "../model/log.js";
import type { Schema } from "../model/measure.js";
import { type Arguments, CONFIG_OPTIONS } from "./arguments.js";
import { ownMissingCapabilities } from "./capabilities.js";
import { checkJson } from "./check-json.js";
import {
  type CheckReport,
  checkExitCode,
  type FoundComponent,
  type KernelMemory,
  LARGE_CPUS,
} from "./check-report.js";
import { renderCheck } from "./check-table.js";
import { type Command, configOf, type Context } from "./command.js";
import { withProgress } from "./progress.js";
import { isPermissionError } from "./report-error.js";
import { wantsColours } from "./terminal.js";
import { dailyVolume } from "./volume.js";

export const checkCommand: Command = {
  name: "check",
  summary: "Show what this host offers, what is missing, and whether BanyanDB can be reached",
  usage: "[--json] [--config FILE] [--KEY VALUE]...",
  description:
    "Attaches the probes for a moment, looks for the target and its data directories, and asks BanyanDB for its " +
    "version and schema; changes nothing. Says what the kernel offers, what will be measured and by which probe, " +
    "what memory and what volume of rows that takes, how long an outage it bridges, and for each problem its " +
    "cure. Exit code 0 where `run` will measure and deliver (a problem may remain that only costs a part), 77 " +
    "where it may not load BPF programs, 78 where the configuration is wrong, else 1.",
  options: [{ name: "json", doc: "Print one JSON object" }, ...CONFIG_OPTIONS],
  operands: [],
  run,
};

async function run(args: Arguments, context: Context): Promise<number> {
  const { config } = configOf(args, context);
  const schema = configuredSchema(config);
  const { stdout, environment } = context;
  const kernel = await withProgress(context, "loading the programs into the kernel", () =>
    kernelPart(config),
  );
  const endpoints = config.banyandb.endpoints.join(", ");
  const report: CheckReport = {
    ...kernel,
    missingCapabilities: ownMissingCapabilities(),
    banyandb: await withProgress(context, `asking BanyanDB at ${endpoints}`, () =>
      banyandbPart(config, schema),
    ),
    target: config.targets.map(({ select }) => targetText(select)).join(", or "),
    volume: dailyVolume(config, schema),
  };
  const text = args.switches.has("json")
    ? `${JSON.stringify(checkJson(report), undefined, 2)}\n`
    : renderCheck(report, wantsColours(stdout, environment));
  stdout.write(text);
  return checkExitCode(report);
}

function targetText({ name, command, cgroup, pid }: TargetConfig): string {
  if (pid !== undefined) return `pid ${pid}`;
  if (cgroup !== undefined) return `cgroup ${cgroup}`;
  return command === undefined ? `name ${name}` : `command line matching ${command}`;
}

/** The table tells all that a log would. */
const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  throttled: () => undefined,
};

function kernelPart(config: Config): Pick<CheckReport, "host" | "kernel"> {
  let host: string | undefined;
  try {
    const addon = loadAddon(packageRoot());
    const facts = addon.probeFeatures();
    host = `${facts.release} ${facts.machine}`;
    const kernel = openKernel(addon, config, SILENT);
    try {
      kernel.follow();
      const status = kernel.status();
      const components = status.targets.flatMap(({ pid }) => componentsOf(pid));
      return {
        host,
        kernel: {
          state: "measures",
          status,
          components,
          memory: memoryOf(addon, facts, config.kernel.tier),
          pins: config.kernel.pinPath === undefined ? undefined : checkPins(addon, config.kernel.pinPath),
        },
      };
    } finally {
      kernel.close();
    }
  } catch (error) {
    const { message, hint } = KernelError.from(error, "examine", "the kernel");
    return { host, kernel: { state: "fails", message, permission: isPermissionError(error), hint } };
  }
}

function componentsOf(pid: number): FoundComponent[] {
  const { commandLine } = processNames({ pid });
  return scanDirectories(pid, commandLine).map(({ catalog, dbGroup, path }) => ({ catalog, dbGroup, path }));
}

function memoryOf(addon: NativeAddon, facts: KernelFacts, tier: TierChoice): KernelMemory {
  const { programs, spare } = choosePrograms(facts, tier);
  const bytesAt = (cpus: number) => addon.mapBytes([...programs, ...spare], cpus);
  return {
    possibleCpus: facts.possibleCpus,
    bytes: bytesAt(facts.possibleCpus),
    bytesOnLargeMachine: bytesAt(LARGE_CPUS),
  };
}

async function banyandbPart({ banyandb }: Config, schema: Schema): Promise<CheckReport["banyandb"]> {
  const transport = openTransport(banyandb);
  const address = transport.address();
  try {
    const version = await serverVersion(transport);
    const { state, diff, notes } = await compareSchema({ transport, config: banyandb, schema });
    return { state: "reached", address, version, schema: state, lines: [...diff, ...notes] };
  } catch (error) {
    const { code, message } = BanyanError.from(error, "ask", address);
    return { state: "unreachable", address, code, message };
  } finally {
    transport.close();
  }
}
