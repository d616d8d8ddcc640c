/** The texts of --help. Pure. */
import { environmentName, flagName, SETTING_KEYS, settingOf } from "../config/schema.js";
import type { OptionSpec } from "./arguments.js";
import { type Command, DEFAULT_CONFIG_FILE } from "./command.js";
import { EXIT } from "./exit-code.js";

export const PROGRAM = "banyandb-ebpf-sidecar";

/** Columns of a terminal that nobody has made wider. */
const WIDTH = 100;

/** The help of the program. */
export function programHelp(commands: readonly Command[]): string {
  return [
    `Usage: ${PROGRAM} COMMAND [OPTION]...`,
    "",
    "Watches the Linux page cache with eBPF on behalf of BanyanDB and writes what it saw into BanyanDB.",
    "",
    "Commands:",
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    "",
    "Options:",
    ...columns([
      ["-h, --help", "Show this, or after a command the help of that command"],
      ["-V, --version", "Show the version"],
    ]),
    "",
    ...exitCodes(),
  ].join("\n");
}

function exitCodes(): string[] {
  return [
    "Exit codes:",
    ...columns([
      [String(EXIT.ok), "done"],
      [String(EXIT.failure), "tried and failed"],
      [String(EXIT.usage), "the command line makes no sense"],
      [String(EXIT.noPermission), "this process may not load BPF programs"],
      [String(EXIT.badConfig), "the configuration is wrong"],
    ]),
    "",
  ];
}

/** The help of one command. */
export function commandHelp(command: Command): string {
  const { name, usage, description, options } = command;
  const takesSettings = options.some((option) => option.name === "set");
  return [
    `Usage: ${[PROGRAM, name, usage].filter((part) => part !== "").join(" ")}`,
    "",
    ...wrap(description, WIDTH),
    "",
    "Options:",
    ...columns([...options.map(optionRow), ["-h, --help", "Show this"]]),
    "",
    ...exitCodes(),
    ...(takesSettings ? settingsHelp() : []),
  ].join("\n");
}

function optionRow({ name, short, value, doc }: OptionSpec): [string, string] {
  const letters = short === undefined ? "" : `-${short}, `;
  return [`${letters}--${name}${value === undefined ? "" : ` ${value}`}`, doc];
}

function settingsHelp(): string[] {
  const example = "queue.max_bytes" as const;
  const intro =
    `Configuration, by precedence: flags, environment, the file (${DEFAULT_CONFIG_FILE} where none is named), ` +
    `default. ${example} is --${flagName(example)} or --set ${example}=VALUE, ${environmentName(example)} ` +
    "in the environment, and key max_bytes of section queue in the file. The keys:";
  const rows = SETTING_KEYS.map((key): [string, string] => {
    const { doc, format, default: initial, absence } = settingOf(key);
    const fallback = initial === null ? (absence ?? "not set") : format.show(initial);
    return [key, `${doc}. Allowed: ${format.allowed}. Default: ${fallback}.`];
  });
  return [...wrap(intro, WIDTH), ...columns(rows), ""];
}

/** Two columns, the second one wrapped. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.flatMap(([left, right]) =>
    wrap(right, WIDTH - 2 - width).map((line, i) => `  ${(i === 0 ? left : "").padEnd(width)}${line}`),
  );
}

function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}
