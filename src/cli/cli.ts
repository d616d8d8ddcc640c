/** Finds the command that argv names, and runs it. */
import { packageVersion } from "../config/schema-files.js";
import { parseArguments, UsageError } from "./arguments.js";
import type { Command, Context } from "./command.js";
import { EXIT } from "./exit-code.js";
import { commandHelp, PROGRAM, programHelp } from "./help.js";
import { reportError } from "./report-error.js";

/** In the order of the help. Each is loaded when it is called: `run` needs no embedded server, and no terminal. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import("./run.js")).runCommand,
  demo: async () => (await import("./demo.js")).demoCommand,
  top: async () => (await import("./top.js")).topCommand,
  check: async () => (await import("./check.js")).checkCommand,
  schema: async () => (await import("./schema.js")).schemaCommand,
  "print-config": async () => (await import("./print-config.js")).printConfigCommand,
  unload: async () => (await import("./unload.js")).unloadCommand,
};

/** Runs what `argv` (without node and the script) says; resolves to the exit code, never rejects. */
export async function runCli(argv: readonly string[], context: Context): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (error) {
    const { text, exitCode } = reportError(error);
    context.stderr.write(`${PROGRAM}: ${text}\n`);
    return exitCode;
  }
}

async function dispatch([name, ...rest]: readonly string[], context: Context): Promise<number> {
  if (name === "--help" || name === "-h") return show(context, await helpOfAll());
  if (name === "--version" || name === "-V") return show(context, `${packageVersion()}\n`);
  if (name === undefined) throw new UsageError("no command is given");
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    const names = Object.keys(COMMANDS).join(", ");
    throw new UsageError(`unknown ${name.startsWith("-") ? "flag" : "command"} ${name}; commands: ${names}`);
  }
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) return show(context, commandHelp(command));
  const args = parseArguments(rest, command.options);
  checkOperands(command, args.operands);
  return command.run(args, context);
}

async function helpOfAll(): Promise<string> {
  return programHelp(await Promise.all(Object.values(COMMANDS).map((load) => load())));
}

function show({ stdout }: Context, text: string): number {
  stdout.write(text);
  return EXIT.ok;
}

function checkOperands({ name, operands }: Command, given: readonly string[]): void {
  operands.forEach((choices, i) => {
    const operand = given[i];
    if (operand === undefined) throw new UsageError(`${name} needs one of ${choices.join(", ")}`);
    if (!choices.includes(operand)) {
      throw new UsageError(`${name} ${operand} is unknown; there are ${choices.join(", ")}`);
    }
  });
  const extra = given[operands.length];
  if (extra !== undefined) throw new UsageError(`${name} does not take ${JSON.stringify(extra)}`);
}
