/** `demo`: the whole way from the kernel to stored rows, on this machine, in seconds. */
import { ConfigError } from "../config/problems.js";
import { packageVersion, configuredSchema } from "../config/schema-files.js";
import { duration, ENDPOINTS, type Format } from "../config/formats.js";
import { runDemo } from "../demo/demo.js";
import { createLog } from "../observe/log.js";
import { type Arguments, CONFIG_OPTIONS, UsageError } from "./arguments.js";
import { type Command, configOf, type Context } from "./command.js";
import { systemClocks } from "./system-clocks.js";

const DURATION = duration(1000, 24 * 60 * 60 * 1000);

/** The only variable by which a demo writes to a real server: it must be asked for. */
const ADDRESS_VARIABLE = "BANYANDB_ADDR";

export const demoCommand: Command = {
  name: "demo",
  summary: "Show it working: live numbers, then the rows as read back from the server",
  usage: "[--duration TIME] [--json] [--banyandb HOST:PORT] [--config FILE] [--KEY VALUE]...",
  description:
    "Watches the target where one runs here, else a sample workload of its own. Writes to a BanyanDB in memory; to a " +
    `real one only where --banyandb or ${ADDRESS_VARIABLE} says so. Exit code 1 where what was stored is not what ` +
    "the kernel counted.",
  options: [
    {
      name: "duration",
      value: "TIME",
      doc: `End after this time: ${DURATION.allowed}. Default: until Ctrl-C`,
    },
    { name: "json", doc: "Print only one JSON object, at the end" },
    { name: "banyandb", value: "HOST:PORT", doc: "Write to this BanyanDB" },
    ...CONFIG_OPTIONS,
  ],
  operands: [],
  run,
};

async function run(args: Arguments, context: Context): Promise<number> {
  const durationMs = valueOf(args, "duration", DURATION);
  const banyandb = valueOf(args, "banyandb", ENDPOINTS)?.[0] ?? addressIn(context.environment);
  const { config } = configOf(args, context);
  const log = createLog({ level: config.log.level, stream: context.stderr, clock: systemClocks });
  const { stop, kill } = context.signals();
  kill.addEventListener("abort", () => process.exit(1));
  return runDemo({
    config,
    schema: configuredSchema(config),
    log,
    version: packageVersion(),
    durationMs,
    json: args.switches.has("json"),
    banyandb,
    stop,
  });
}

function valueOf<T>({ values }: Arguments, name: string, format: Format<T>): T | undefined {
  const text = values.get(name);
  if (text === undefined) return undefined;
  const value = format.parse(text);
  if (value === undefined) throw new UsageError(`--${name} must be ${format.allowed}`);
  return value;
}

function addressIn(environment: Context["environment"]): string | undefined {
  const text = environment[ADDRESS_VARIABLE];
  if (text === undefined || text === "") return undefined;
  const address = ENDPOINTS.parse(text)?.[0];
  if (address !== undefined) return address;
  const message = `must be ${ENDPOINTS.allowed}`;
  throw new ConfigError([{ key: undefined, source: `environment ${ADDRESS_VARIABLE}`, message }]);
}
