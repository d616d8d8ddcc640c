/** Finds the command that argv names, and runs it. */
import { packageVersion } from "../config/schema-files.js";
import { parseArguments, UsageError } from "./arguments.js";
import { checkCommand } from "./check.js";
import type { Command, Context } from "./command.js";
import { demoCommand } from "./demo.js";
import { EXIT } from "./exit-code.js";
import { commandHelp, PROGRAM, programHelp } from "./help.js";
import { printConfigCommand } from "./print-config.js";
import { reportError } from "./report-error.js";
import { runCommand } from "./run.js";
import { schemaCommand } from "./schema.js";
import { topCommand } from "./top.js";

const COMMANDS: readonly Command[] = [
  runCommand,
  demoCommand,
  topCommand,
  checkCommand,
  schemaCommand,
  printConfigCommand,
];

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
  if (name === "--help" || name === "-h") return show(context, programHelp(COMMANDS));
  if (name === "--version" || name === "-V") return show(context, `${packageVersion()}\n`);
  if (name === undefined) throw new UsageError("no command is given");
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (!command) {
    const names = COMMANDS.map((candidate) => candidate.name).join(", ");
    throw new UsageError(`unknown ${name.startsWith("-") ? "flag" : "command"} ${name}; commands: ${names}`);
  }
  if (rest.includes("--help") || rest.includes("-h")) return show(context, commandHelp(command));
  const args = parseArguments(rest, command.options);
  checkOperands(command, args.operands);
  return command.run(args, context);
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
