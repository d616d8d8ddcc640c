/** What a command of the command line is, and what it is given. */
import type { Writable } from "node:stream";
import { ownUserIds, readGuardedFile } from "../config/guarded-file.js";
import { type LoadedConfig, loadConfig } from "../config/load.js";
import type { Arguments, OptionSpec } from "./arguments.js";

export interface Signals {
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
  /** Calls back at every SIGHUP, which without this ends the process. */
  onReload(listener: () => void): void;
}

export interface Context {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /**
   * From the first call on, signals no longer end the process: the first SIGTERM or SIGINT aborts `stop`, the
   * second one `kill`.
   */
  signals(): Signals;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the name, as the help shows it. */
  readonly usage: string;
  /** What the command does and what its exit code means, for its own help. */
  readonly description: string;
  readonly options: readonly OptionSpec[];
  /** Operands that must follow, each one of a fixed choice. */
  readonly operands: readonly (readonly string[])[];
  /** Resolves to the exit code. */
  run(args: Arguments, context: Context): Promise<number>;
}

/** Read where no file is named; may be missing. */
export const DEFAULT_CONFIG_FILE = "/etc/banyandb-ebpf-sidecar/config.yaml";

/**
 * Loads the configuration as the command line says.
 * @throws ConfigError
 */
export function configOf({ values, settings }: Arguments, context: Context): LoadedConfig {
  const named = values.get("config");
  return loadConfig({
    file: { path: named ?? DEFAULT_CONFIG_FILE, named: named !== undefined },
    environment: context.environment,
    flags: settings,
    hostname: context.hostname,
    readFile: readGuardedFile,
    ownIds: ownUserIds(context.environment),
  });
}
