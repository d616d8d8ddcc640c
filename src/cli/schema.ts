/** `schema`: what is written, and whether BanyanDB has a place for it. */
import { compareSchema, ensureSchema, type SchemaRequest } from "../banyandb/schema-ensure.js";
import { openTransport } from "../banyandb/transport.js";
import type { Config } from "../config/config.js";
import { configuredSchema } from "../config/schema-files.js";
import type { FieldSpec, MeasureSpec, Schema } from "../model/measure.js";
import { type Arguments, CONFIG_OPTIONS } from "./arguments.js";
import { type Command, configOf, type Context } from "./command.js";
import { EXIT } from "./exit-code.js";
import { withProgress } from "./progress.js";

export const schemaCommand: Command = {
  name: "schema",
  summary: "Show the measures, compare them with BanyanDB's, or create them there",
  usage: "show|diff|apply [--config FILE] [--KEY VALUE]...",
  description:
    "show: the group and its measures; needs no server.\n" +
    "diff: what is missing at BanyanDB or differs there; exit code 1 where anything is or does.\n" +
    "apply: create what is missing, add missing fields, change nothing else; exit code 1 with the difference " +
    "where a measure exists with other types.",
  options: CONFIG_OPTIONS,
  operands: [["show", "diff", "apply"]],
  run,
};

async function run(args: Arguments, context: Context): Promise<number> {
  const { config } = configOf(args, context);
  const schema = configuredSchema(config);
  const print = (lines: readonly string[]): void => {
    context.stdout.write(lines.map((line) => `${line}\n`).join(""));
  };
  if (args.operands[0] === "show") {
    print(describe(config, schema));
    return EXIT.ok;
  }
  const transport = openTransport(config.banyandb);
  const request = { transport, config: config.banyandb, schema };
  try {
    return await withProgress(context, `asking BanyanDB at ${transport.address()}`, () =>
      args.operands[0] === "diff" ? diff(request, print) : apply(request, config, print),
    );
  } finally {
    transport.close();
  }
}

type Print = (lines: readonly string[]) => void;

async function diff(request: SchemaRequest, print: Print): Promise<number> {
  const { state, diff: lines, notes } = await compareSchema(request);
  print([`${state} at ${request.transport.address()}`, ...lines, ...notes.map((note) => `note: ${note}`)]);
  return state === "equal" ? EXIT.ok : EXIT.failure;
}

async function apply(request: SchemaRequest, { node }: Config, print: Print): Promise<number> {
  const ensured = await ensureSchema(request, [node.id, node.cluster, node.role, node.type]);
  const where = `at ${request.transport.address()}`;
  if (ensured.state === "conflict") {
    print([`conflict ${where}, nothing that exists was changed`, ...ensured.diff]);
    return EXIT.failure;
  }
  const notes = ensured.notes.map((note) => `note: ${note}`);
  print([...(ensured.changes.length > 0 ? ensured.changes : [`nothing to change ${where}`]), ...notes]);
  return EXIT.ok;
}

/** The schema as text. */
export function describe({ banyandb }: Config, { group, measures }: Schema): string[] {
  const { shards, segmentDays, ttlDays } = banyandb;
  return [
    `group ${banyandb.group}: ${shards} shard(s), segments of ${segmentDays} day(s), kept for ${ttlDays} day(s)`,
    `tags of every measure: ${group.identityTags.map(({ name }) => name).join(", ")}`,
    ...measures.flatMap(describeMeasure),
  ];
}

function describeMeasure({ name, description, tags, fields }: MeasureSpec): string[] {
  const width = Math.max(...fields.map((field) => field.name.length));
  const further = tags.length > 0 ? `; further tags: ${tags.map((tag) => tag.name).join(", ")}` : "";
  const line = (field: FieldSpec): string =>
    `  ${field.name.padEnd(width)}  ${field.type.padEnd(5)}  ${field.description} (${field.unit})`;
  return ["", `measure ${name}${further}`, `  ${description}`, ...fields.map(line)];
}
