/**
 * The fields of the measures as metrics: a counter of everything since the start where the field is summed, else a
 * gauge of the latest interval. What does not change from page to page is prepared once. Pure.
 */
import type { FieldSpec, MeasureSpec, Schema } from "../model/measure.js";
import { fieldValues, type Sample } from "../model/tick.js";
import type { SeriesTotal, Totals } from "../model/totals.js";
import { histogramMetrics } from "./histogram-metrics.js";
import { headLines, joinLabels, type Labels, labelText, sampleLine, scaled } from "./prometheus.js";

/** A field that is shown under some name. */
interface Use {
  readonly measure: MeasureSpec;
  readonly field: FieldSpec;
  /** Index of the field in its measure. */
  readonly at: number;
  readonly description: string;
  readonly labels: string;
  readonly scale: number;
  /** Tags, by their index, that a series must have. */
  readonly where: readonly (readonly [index: number, value: string])[];
}

interface Family {
  readonly name: string;
  readonly counter: boolean;
  readonly head: string;
  readonly uses: readonly Use[];
}

/** One series of the page: its values, and the labels that all its fields share. */
interface Series {
  readonly sample: Sample;
  readonly labels: string;
  /** By the index of the field; undefined: absent. */
  readonly values: readonly (number | bigint | undefined)[];
}

/** Returns what renders the metrics; labels as in metricsPage(). */
export function measureMetrics(schema: Schema): (totals: Totals, own: Labels, configured: Labels) => string {
  const families = familiesOf(schema);
  const identityNames = schema.group.identityTags.map(({ name }) => name);
  const histograms = histogramMetrics(schema);
  return ({ series, latest }, own, configured) => {
    const labelsOf = labelling(identityNames, own, configured);
    const total = byMeasure([...series.values()].map((one) => counted(one, labelsOf)));
    const newest = byMeasure(
      latest.samples.map((sample) => ({
        sample,
        labels: labelsOf(sample),
        values: fieldValues(sample, latest.intervalMs),
      })),
    );
    return [
      ...families.map((family) => rendered(family, family.counter ? total : newest)),
      histograms(series, labelsOf),
    ].join("");
  };
}

/** One family per name; several fields may share a name and differ in their labels. */
function familiesOf({ measures }: Schema): Family[] {
  const byName = new Map<string, Use[]>();
  for (const measure of measures) {
    measure.fields.forEach((field, at) => {
      for (const [name, use] of usesOf(measure, field, at)) {
        byName.set(name, [...(byName.get(name) ?? []), use]);
      }
    });
  }
  return [...byName].map(([name, uses]): Family => {
    const counter = uses.every(({ field }) => field.type === "int" && field.merge === "sum");
    const help = [...new Set(uses.map(({ description }) => description))].join("; ");
    const head = headLines({ name, type: counter ? "counter" : "gauge", help });
    return { name, counter, head, uses };
  });
}

function usesOf(measure: MeasureSpec, field: FieldSpec, at: number): [name: string, use: Use][] {
  if (!field.prometheus) return [];
  const { name, labels, scale, aliases } = field.prometheus;
  // Fields that share a name are told apart by their labels.
  const values = Object.values(labels).join(" ");
  const description = values === "" ? field.description : `${values}: ${field.description}`;
  const own: Use = { measure, field, at, description, labels: labelText(labels), scale, where: [] };
  return [
    [name, own],
    ...aliases.map((alias): [string, Use] => {
      const where = Object.entries(alias.where).map(
        ([tag, value]) => [measure.tags.findIndex((known) => known.name === tag), value] as const,
      );
      return [alias.name, { ...own, description: alias.description, labels: "", scale: alias.scale, where }];
    }),
  ];
}

function counted({ sample, sums }: SeriesTotal, labelsOf: (sample: Sample) => string): Series {
  const values = sample.measure.fields.map((field) =>
    field.type === "int" && field.merge === "sum" ? totalOf(field.sources, sums) : undefined,
  );
  return { sample, labels: labelsOf(sample), values };
}

/** undefined where any of the sources is absent. */
function totalOf(sources: readonly number[], sums: SeriesTotal["sums"]): bigint | undefined {
  let total = 0n;
  for (const source of sources) {
    const sum = sums[source];
    if (sum === undefined) return undefined;
    total += sum;
  }
  return total;
}

/** Labels of a series, each over the one before: whom it is about, what is configured, its tags. */
function labelling(
  identityNames: readonly string[],
  own: Labels,
  configured: Labels,
): (sample: Sample) => string {
  return ({ measure, identity = [], tags }) => {
    const about = Object.fromEntries(identity.map((value, i) => [identityNames[i] ?? "", value]));
    const ofSeries = Object.fromEntries(measure.tags.map(({ name }, i) => [name, tags[i] ?? ""]));
    return labelText({ ...own, ...about, ...configured, ...ofSeries });
  };
}

/** By the name of the measure. */
function byMeasure(all: readonly Series[]): ReadonlyMap<string, readonly Series[]> {
  const found = new Map<string, Series[]>();
  for (const series of all) {
    const { name } = series.sample.measure;
    const others = found.get(name);
    if (others) others.push(series);
    else found.set(name, [series]);
  }
  return found;
}

/** Empty where nothing has a value: a metric that cannot be had is absent, its head too. */
function rendered({ name, head, uses }: Family, rows: ReadonlyMap<string, readonly Series[]>): string {
  let text = "";
  for (const { measure, at, labels, scale, where } of uses) {
    for (const { sample, labels: common, values } of rows.get(measure.name) ?? []) {
      const value = values[at];
      if (value === undefined || where.some(([index, wanted]) => sample.tags[index] !== wanted)) continue;
      text += sampleLine(name, joinLabels(common, labels), scaled(value, scale));
    }
  }
  return text === "" ? "" : head + text;
}
