/** `top`: live numbers in a terminal, without any database. */
import { packageVersion, configuredSchema } from "../config/schema-files.js";
import type { Log } from "../model/log.js";
import { createLog } from "../observe/log.js";
import { type Frame, renderJson, renderLine, renderScreen } from "../top/render.js";
import { openScreen, type Screen } from "../top/screen.js";
import { runTop } from "../top/top.js";
import { type Arguments, CONFIG_OPTIONS } from "./arguments.js";
import { type Command, configOf, type Context } from "./command.js";
import { EXIT } from "./exit-code.js";
import { startProgress } from "./progress.js";
import { systemClocks } from "./system-clocks.js";
import { isTerminal, wantsColours } from "./terminal.js";

export const topCommand: Command = {
  name: "top",
  summary: "Show live numbers in the terminal, without any database",
  usage: "[--once] [--json] [--config FILE] [--KEY VALUE]...",
  description:
    "Shows each second what the target asked of the page cache: hit rate, loaded and evicted pages by cause, hints, " +
    "memory pressure, and the parts of BanyanDB by the pages that they missed. Where standard output is no terminal: " +
    "one line for each interval. q or Ctrl-C ends it. Colours only on a terminal, and not where NO_COLOR is set. " +
    "Writes nothing to BanyanDB.",
  options: [
    { name: "once", doc: "Show one interval and end" },
    { name: "json", doc: "Print each interval as one line of JSON" },
    ...CONFIG_OPTIONS,
  ],
  operands: [],
  run,
};

/** Columns of a page that is not a terminal. */
const PAGE_COLUMNS = 200;

async function run(args: Arguments, context: Context): Promise<number> {
  const { config } = configOf(args, context);
  const { stdout, stderr, environment } = context;
  const ended = new AbortController();
  const { stop, kill } = context.signals();
  const end = (): void => {
    ended.abort();
  };
  kill.addEventListener("abort", () => process.exit(EXIT.failure));
  // The reader has seen enough (EPIPE), as `head` does.
  stdout.on("error", end);

  const once = args.switches.has("once");
  const json = args.switches.has("json");
  const terminal = isTerminal(stdout, environment) ? stdout : undefined;
  const colours = wantsColours(stdout, environment);
  const drawn = terminal !== undefined && !once && !json;
  let notice: string | undefined;
  const log: Log = drawn
    ? noticeLog((text) => {
        notice = text;
      })
    : createLog({ level: config.log.level, stream: stderr, clock: systemClocks });
  let screen: Screen | undefined;

  function print(frame: Frame): void {
    if (json) stdout.write(`${JSON.stringify(renderJson(frame))}\n`);
    else if (once) {
      const columns = terminal?.columns ?? PAGE_COLUMNS;
      stdout.write(`${renderScreen(frame, { columns, rows: undefined, colours }).join("\n")}\n`);
    } else if (terminal) {
      screen ??= openScreen(terminal, process.stdin, end);
      screen.draw(renderScreen(frame, { columns: screen.columns, rows: screen.rows, colours }));
    } else stdout.write(`${renderLine(frame)}\n`);
  }

  // Elsewhere the log says what goes on.
  const loaded = drawn ? startProgress(context, "loading the programs into the kernel") : () => undefined;
  try {
    await runTop({
      config,
      schema: configuredSchema(config),
      log,
      version: packageVersion(),
      notice: () => notice,
      show: (frame) => {
        loaded();
        if (ended.signal.aborted) return true;
        print(frame);
        return once;
      },
      stop: AbortSignal.any([stop, ended.signal]),
    });
  } finally {
    loaded();
    screen?.close();
  }
  return EXIT.ok;
}

/** Lines of a log would tear the screen: the newest warning is shown on it instead. */
function noticeLog(show: (text: string) => void): Log {
  const keep: Log["warn"] = (message, fields) => {
    const reason = fields?.["reason"];
    show(typeof reason === "string" ? `${message}: ${reason}` : message);
  };
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: keep,
    error: keep,
    throttled: (_cause, message, fields) => {
      keep(message, fields);
    },
  };
}
