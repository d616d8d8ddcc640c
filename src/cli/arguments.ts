/** From argv to options, settings and operands. Knows no command. */
import { parseArgs } from "node:util";
import type { FlagSetting } from "../config/load.js";
import { flagName, SETTING_KEYS } from "../config/schema.js";

export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** What the value is called in the help; absent for a switch. */
  readonly value?: string;
  readonly doc: string;
}

export interface Arguments {
  readonly switches: ReadonlySet<string>;
  /** Values of options; the last one of a name counts. */
  readonly values: ReadonlyMap<string, string>;
  /** Settings of the configuration, in the order of the command line. */
  readonly settings: readonly FlagSetting[];
  readonly operands: readonly string[];
}

/** A command line that makes no sense. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** The repeatable option that sets any key. */
const SET: OptionSpec = {
  name: "set",
  value: "KEY=VALUE",
  doc: "Set a key of the configuration; repeatable",
};

/** Options of every command that loads the configuration. */
export const CONFIG_OPTIONS: readonly OptionSpec[] = [
  { name: "config", short: "c", value: "FILE", doc: "Read the configuration from this file" },
  SET,
];

/**
 * Parses what follows the name of a command.
 * @throws UsageError
 */
export function parseArguments(args: readonly string[], specs: readonly OptionSpec[]): Arguments {
  const keys = new Map(specs.includes(SET) ? SETTING_KEYS.map((key) => [flagName(key), key]) : []);
  const known = new Map(specs.map((spec) => [spec.name, spec]));
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: Object.fromEntries([
      ...[...keys.keys()].map((name) => [name, { type: "string" }]),
      ...specs.map(({ name, short, value }) => [
        name,
        { type: value === undefined ? "boolean" : "string", ...(short !== undefined && { short }) },
      ]),
    ]) as NonNullable<Parameters<typeof parseArgs>[0]>["options"] & object,
  });

  const switches = new Set<string>();
  const values = new Map<string, string>();
  const settings: FlagSetting[] = [];
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName } = token;
    const spec = known.get(name);
    const key = keys.get(name);
    if (!spec && key === undefined) throw new UsageError(`unknown flag ${rawName}`);
    if (spec && spec.value === undefined) {
      if (token.value !== undefined) throw new UsageError(`${rawName} takes no value`);
      switches.add(name);
      continue;
    }
    const text = requiredValue(token);
    if (key !== undefined) settings.push({ key, text, flag: rawName });
    else if (spec === SET) settings.push(settingOf(text));
    else values.set(name, text);
  }
  return { switches, values, settings, operands };
}

function requiredValue(token: {
  rawName: string;
  value?: string | undefined;
  inlineValue?: boolean | undefined;
}) {
  const { rawName, value, inlineValue } = token;
  if (value === undefined) throw new UsageError(`${rawName} needs a value`);
  if (inlineValue !== true && value.startsWith("-")) {
    throw new UsageError(
      `${rawName} needs a value; one that begins with a dash is written ${rawName}=${value}`,
    );
  }
  return value;
}

function settingOf(text: string): FlagSetting {
  const at = text.indexOf("=");
  if (at < 1) throw new UsageError(`--set ${text} is not KEY=VALUE`);
  const key = text.slice(0, at);
  return { key, text: text.slice(at + 1), flag: `--set ${key}` };
}
