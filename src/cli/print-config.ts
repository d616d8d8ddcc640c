/** `print-config`: what applies, and where it comes from. */
import { maskedConfig } from "../config/print.js";
import { CONFIG_OPTIONS } from "./arguments.js";
import { type Command, configOf } from "./command.js";
import { EXIT } from "./exit-code.js";

export const printConfigCommand: Command = {
  name: "print-config",
  summary: "Show the configuration that applies, and where each value comes from",
  usage: "[--config FILE] [--KEY VALUE]...",
  description:
    "Prints the configuration as YAML, each value with its source, secrets masked. Fails with exit code 78 where " +
    "`run` would, with the same messages.",
  options: CONFIG_OPTIONS,
  operands: [],
  run: (args, context) => {
    context.stdout.write(maskedConfig(configOf(args, context)));
    return Promise.resolve(EXIT.ok);
  },
};
