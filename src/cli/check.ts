/** `check`: what this host offers and what is missing. Attaches for a moment, changes nothing that stays. */
import { compareSchema, serverVersion } from "../banyandb/schema-ensure.js";
import { BanyanError } from "../banyandb/errors.js";
import { openTransport } from "../banyandb/transport.js";
import type { Config } from "../config/config.js";
import { packageRoot, readSchema } from "../config/schema-files.js";
import { loadAddon } from "../kernel/addon.js";
import { KernelError } from "../kernel/errors.js";
import { openKernel } from "../kernel/open-kernel.js";
import type { Log } from "../model/log.js";
import type { Schema } from "../model/measure.js";
import { type Arguments, CONFIG_OPTIONS } from "./arguments.js";
import { ownMissingCapabilities } from "./capabilities.js";
import { type CheckReport, checkExitCode, renderCheck } from "./check-report.js";
import { type Command, configOf, type Context } from "./command.js";
import { isPermissionError } from "./report-error.js";
import { dailyVolume } from "./volume.js";

export const checkCommand: Command = {
  name: "check",
  summary: "Show what this host offers, what is missing, and whether BanyanDB can be reached",
  usage: "[--config FILE] [--KEY VALUE]...",
  description:
    "Attaches the probes for a moment, looks for the target, and asks BanyanDB for its version and schema; changes " +
    "nothing. Exit code 0 where `run` will measure and deliver, 77 where it may not load BPF programs, else 1.",
  options: CONFIG_OPTIONS,
  operands: [],
  run,
};

async function run(args: Arguments, context: Context): Promise<number> {
  const { config } = configOf(args, context);
  const schema = readSchema();
  const report: CheckReport = {
    ...kernelPart(config),
    missingCapabilities: ownMissingCapabilities(),
    banyandb: await banyandbPart(config, schema),
    target: targetText(config.target),
    volume: dailyVolume(config, schema),
  };
  context.stdout.write(renderCheck(report));
  return checkExitCode(report);
}

function targetText({ name, command, pid }: Config["target"]): string {
  if (pid !== undefined) return `pid ${pid}`;
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

function kernelPart({ target, kernel: { tier } }: Config): Pick<CheckReport, "host" | "kernel"> {
  let host: string | undefined;
  try {
    const addon = loadAddon(packageRoot());
    const { release, machine } = addon.probeFeatures();
    host = `${release} ${machine}`;
    const kernel = openKernel(addon, { target, tier }, SILENT);
    try {
      kernel.follow();
      return { host, kernel: { state: "measures", status: kernel.status() } };
    } finally {
      kernel.close();
    }
  } catch (error) {
    const { message, hint } = KernelError.from(error, "examine", "the kernel");
    const text = hint === undefined || message.includes(hint) ? message : `${message}; ${hint}`;
    return { host, kernel: { state: "fails", message: text, permission: isPermissionError(error) } };
  }
}

async function banyandbPart({ banyandb }: Config, schema: Schema): Promise<CheckReport["banyandb"]> {
  const transport = openTransport(banyandb);
  const address = transport.address();
  try {
    const version = await serverVersion(transport);
    const { state, diff, notes } = await compareSchema({ transport, config: banyandb, schema });
    return { state: "reached", address, version, schema: state, lines: [...diff, ...notes] };
  } catch (error) {
    const { message } = BanyanError.from(error, "ask", address);
    return { state: "unreachable", address, message };
  } finally {
    transport.close();
  }
}
