/** The tables of docs/METRICS.md, as schema/ gives them. Pure. */
import type { FieldSpec, MeasureSpec, Schema } from "../../src/model/measure.js";

/** What is between these lines of the document is made from schema/; the rest is written by hand. */
export const BEGIN = "<!-- from schema/ by `npm run generate:docs`: change it there -->";
export const END = "<!-- end of what schema/ gives -->";

/** The document with the part between the two lines made anew. */
export function withMeasures(document: string, schema: Schema): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the lines ${BEGIN} and ${END} are not there, in this order`);
  const sections = schema.measures.map((measure, i) => section(measure, schema.measures.slice(0, i)));
  return `${document.slice(0, begin + BEGIN.length)}\n\n${sections.join("\n\n")}\n\n${document.slice(end)}`;
}

function section(measure: MeasureSpec, earlier: readonly MeasureSpec[]): string {
  const shared = earlier.find((other) => measure.fields.every((field) => sameField(field, other)));
  return [
    `## ${measure.name}`,
    measure.description,
    ...(measure.notes === undefined ? [] : [measure.notes]),
    ...(measure.histogram?.prometheus
      ? [`On /metrics it is also the histogram \`${measure.histogram.prometheus.name}\`.`]
      : []),
    ...(measure.tags.length === 0 ? [] : [table(["tag", "values"], measure.tags.map(tagRow))]),
    ...(shared ? [sharedFields(measure, shared)] : [table(HEADINGS, measure.fields.map(fieldRow))]),
  ].join("\n\n");
}

const HEADINGS = ["field", "unit", "meaning", "what makes it grow, what to do", "on /metrics"];

const tagRow = ({ name, description }: MeasureSpec["tags"][number]) => [`\`${name}\``, description];

function fieldRow({ name, unit, description, cause, action, prometheus }: FieldSpec): string[] {
  const advice = [cause, action].filter((text) => text !== undefined).join(" ");
  return [`\`${name}\``, unit, description, advice, prometheus ? onMetrics(prometheus) : ""];
}

function onMetrics({ name, labels, aliases }: NonNullable<FieldSpec["prometheus"]>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const own = `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""}`;
  return [own, ...aliases.map((alias) => alias.name)].map((shown) => `\`${shown}\``).join(", ");
}

function sameField(field: FieldSpec, { fields }: MeasureSpec): boolean {
  return fields.some(
    ({ name, unit, description }) =>
      name === field.name && unit === field.unit && description === field.description,
  );
}

function sharedFields(measure: MeasureSpec, { name, fields }: MeasureSpec): string {
  const left = fields.filter((field) => !measure.fields.some((own) => own.name === field.name));
  const without = left.length === 0 ? "" : ` without ${left.map((field) => `\`${field.name}\``).join(", ")}`;
  const renamed = measure.fields.flatMap((field) => {
    const theirs = fields.find((other) => other.name === field.name);
    return field.prometheus && theirs?.prometheus ? [[theirs.prometheus.name, field.prometheus.name]] : [];
  });
  const example = renamed[0];
  const names = example
    ? `; on /metrics \`${example[0] ?? ""}\` is \`${example[1] ?? ""}\` here, and so on`
    : "";
  return `The fields of \`${name}\`${without}${names}.`;
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line)].join("\n");
}
