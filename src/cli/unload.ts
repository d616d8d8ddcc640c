/** `unload`: removes what outlived the sidecar. */
import { statSync } from "node:fs";
import { packageRoot } from "../config/schema-files.js";
import { loadAddon } from "../kernel/addon.js";
import { KernelError } from "../kernel/errors.js";
import { CONFIG_OPTIONS, UsageError } from "./arguments.js";
import { type Command, configOf } from "./command.js";
import { EXIT } from "./exit-code.js";

export const unloadCommand: Command = {
  name: "unload",
  summary: "Remove the pinned programs, counts and journal that the sidecar left",
  usage: "[--pin-path DIRECTORY] [--config FILE] [--KEY VALUE]...",
  description:
    "Ends the counting of pinned programs and removes the sidecar's own pins, and nothing else; what was counted and " +
    "not yet delivered is given up. Refused while a sidecar runs with them. Exit code 0 where nothing is left.",
  options: [
    { name: "pin-path", value: "DIRECTORY", doc: "Remove these, instead of those of kernel.pin_path" },
    ...CONFIG_OPTIONS,
  ],
  operands: [],
  run: (args, context) => {
    const path = args.values.get("pin-path") ?? configOf(args, context).config.kernel.pinPath;
    if (path === undefined) throw new UsageError("unload needs --pin-path, or kernel.pin_path");
    // Not access(2), which knows nothing of capabilities.
    if (!statSync(path, { throwIfNoEntry: false })) {
      context.stdout.write(`nothing is pinned in ${path}\n`);
      return Promise.resolve(EXIT.ok);
    }
    try {
      const pins = loadAddon(packageRoot()).openPins(path);
      try {
        pins.unload();
      } finally {
        pins.close();
      }
    } catch (error) {
      throw KernelError.from(error, "unload", `pin directory ${path}`);
    }
    context.stdout.write(`removed what was pinned in ${path}\n`);
    return Promise.resolve(EXIT.ok);
  },
};
