/**
 * What a measure is: the typed form of one file in schema/. Pure; whoever reads the file hands in the
 * parsed JSON. Everything that names a measure, tag, field, unit or formula asks this table.
 */
import { bucketSource } from "./histogram.js";

/** How the values of two neighbouring ticks become one. */
export type MergeRule = "sum" | "last" | "max";

/** A number that is collected, queued and merged; fields are computed from sources at sending time. */
export interface Source {
  readonly name: string;
  readonly merge: MergeRule;
}

export interface TagSpec {
  readonly name: string;
  readonly description: string;
}

/** Exposition of a field in /metrics: a counter where the merge rule is `sum`, else a gauge. */
export interface PrometheusName {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What the value is multiplied by, so that the unit is the one that the name says. */
  readonly scale: number;
  /** Further names of the same field. */
  readonly aliases: readonly PrometheusAlias[];
}

export interface PrometheusAlias {
  readonly name: string;
  readonly description: string;
  readonly scale: number;
  /** Tags that a series must have to be shown under this name. */
  readonly where: Readonly<Record<string, string>>;
}

interface FieldBase {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** For people: what makes it grow, and what to do about it. */
  readonly cause?: string;
  readonly action?: string;
  readonly prometheus: PrometheusName | undefined;
}

/** The sum of one or more sources. */
export interface CountField extends FieldBase {
  readonly type: "int";
  readonly merge: MergeRule;
  /** Indexes into `MeasureSpec.sources`. */
  readonly sources: readonly number[];
}

/** Upper bound of the bucket of the measure's histogram that holds the quantile; absent where that is empty. */
export interface QuantileField extends FieldBase {
  readonly type: "int";
  readonly merge: "derive";
  /** From 1 to 100, which is the maximum. */
  readonly percent: number;
}

/** 100 × part ÷ Σ whole, of other fields of the same measure; absent where Σ whole is 0. */
export interface PercentField extends FieldBase {
  readonly type: "float";
  readonly merge: "derive";
  /** 100 less that instead. */
  readonly complement: boolean;
  /** Index into `MeasureSpec.fields`. */
  readonly part: number;
  /** Indexes into `MeasureSpec.fields`. */
  readonly whole: readonly number[];
}

export type FieldSpec = CountField | QuantileField | PercentField;

/** Counts in buckets, each of them a source that is summed. */
export interface HistogramSpec {
  /** Inclusive upper bounds, ascending; what is above the last one is counted there. */
  readonly bounds: readonly number[];
  /** Indexes into `MeasureSpec.sources`, one for each bound. */
  readonly buckets: readonly number[];
  readonly prometheus?: HistogramName;
}

/** Exposition of a histogram in /metrics. */
export interface HistogramName {
  readonly name: string;
  readonly description: string;
  /** What bounds and sum are multiplied by. */
  readonly scale: number;
  /** Index into `MeasureSpec.sources`: all that is counted in the buckets, added up. */
  readonly sum: number;
}

export interface MeasureSpec {
  readonly name: string;
  readonly description: string;
  /** For people: what else must be known. */
  readonly notes?: string;
  /** Tags beyond the identity tags of the group, in entity order. */
  readonly tags: readonly TagSpec[];
  readonly fields: readonly FieldSpec[];
  /** Every source that a field uses, once, in order of first use. */
  readonly sources: readonly Source[];
  readonly histogram?: HistogramSpec;
  /** Written only where the configuration asks for it. */
  readonly optional: boolean;
  /** A heartbeat is written for every interval, another measure only where something happened. */
  readonly heartbeat: boolean;
}

export interface GroupSpec {
  readonly description: string;
  readonly tagFamily: string;
  readonly identityTags: readonly TagSpec[];
}

/** The whole of schema/. */
export interface Schema {
  readonly group: GroupSpec;
  readonly measures: readonly MeasureSpec[];
}

/** Source that every measure may use: the interval of the tick, in milliseconds. */
export const INTERVAL_SOURCE = "interval_ms";

/** A source that is a time of this process and no count: nothing is owed of it by an earlier one. */
export const SAMPLED_SOURCE = "sampled_ms";

/** A file of schema/ that does not say what it must. */
export class SchemaFileError extends Error {
  constructor(file: string, problem: string) {
    super(`schema/${file}: ${problem}`);
    this.name = "SchemaFileError";
  }
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads typed properties of a JSON object and names file and path in what it throws. */
class Reader {
  readonly file: string;
  readonly at: string;
  private readonly object: Json;

  constructor(file: string, at: string, value: unknown) {
    if (!isObject(value)) throw new SchemaFileError(file, `${at} is not an object`);
    this.file = file;
    this.at = at;
    this.object = value;
  }

  string(key: string): string {
    const value = this.object[key];
    if (typeof value === "string" && value !== "") return value;
    return this.fail(`${key} is not a non-empty string`);
  }

  /** An object with that property, or without it where the file does not have it. */
  text<Key extends string>(key: Key): { readonly [K in Key]?: string } {
    return this.object[key] === undefined ? {} : ({ [key]: this.string(key) } as Record<Key, string>);
  }

  strings(key: string): string[] {
    const value = this.object[key];
    if (Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === "string")) return value;
    return this.fail(`${key} is not a non-empty list of strings`);
  }

  /** Ascending numbers. */
  bounds(key: string): number[] {
    const value = this.object[key];
    if (
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((v, i): v is number => typeof v === "number" && v > Number(i > 0 ? value[i - 1] : 0))
    )
      return value;
    return this.fail(`${key} is not a list of ascending positive numbers`);
  }

  /** From 1 to 100; undefined where there is none. */
  optionalPercent(key: string): number | undefined {
    const value = this.object[key];
    if (value === undefined || (typeof value === "number" && value >= 1 && value <= 100)) return value;
    return this.fail(`${key} is not a number from 1 to 100`);
  }

  objects(key: string, absent?: readonly []): Reader[] {
    const value = this.object[key] ?? absent;
    if (!Array.isArray(value)) return this.fail(`${key} is not a list`);
    return value.map((item, i) => new Reader(this.file, `${this.at}.${key}[${i}]`, item));
  }

  optionalObject(key: string): Reader | undefined {
    const value = this.object[key];
    return value === undefined ? undefined : new Reader(this.file, `${this.at}.${key}`, value);
  }

  flag(key: string): boolean {
    const value = this.object[key] ?? false;
    return typeof value === "boolean" ? value : this.fail(`${key} is not true or false`);
  }

  /** 1 where there is none. */
  factor(key: string): number {
    const value = this.object[key] ?? 1;
    return typeof value === "number" && value > 0 ? value : this.fail(`${key} is not a positive number`);
  }

  labels(key: string): Record<string, string> {
    const value = this.object[key] ?? {};
    if (!isObject(value)) return this.fail(`${key} is not an object`);
    const entries = Object.entries(value).map(([k, v]): [string, string] =>
      typeof v === "string" ? [k, v] : this.fail(`${key}.${k} is not a string`),
    );
    return Object.fromEntries(entries);
  }

  fail(problem: string): never {
    throw new SchemaFileError(this.file, `${this.at}: ${problem}`);
  }
}

function parseTags(reader: Reader, key: string): TagSpec[] {
  return reader
    .objects(key)
    .map((tag) => ({ name: tag.string("name"), description: tag.string("description") }));
}

function parseMerge(reader: Reader): MergeRule {
  const rule = reader.string("merge");
  if (rule === "sum" || rule === "last" || rule === "max") return rule;
  return reader.fail(`merge is ${rule}, not sum, last or max`);
}

function parsePrometheus(reader: Reader): PrometheusName | undefined {
  const entry = reader.optionalObject("prometheus");
  return (
    entry && {
      name: entry.string("name"),
      labels: entry.labels("labels"),
      scale: entry.factor("scale"),
      aliases: entry.objects("aliases", []).map((alias) => ({
        name: alias.string("name"),
        description: alias.string("description"),
        scale: alias.factor("scale"),
        where: alias.labels("where"),
      })),
    }
  );
}

/**
 * Parses schema/group.json.
 * @throws SchemaFileError
 */
export function parseGroup(file: string, json: unknown): GroupSpec {
  const root = new Reader(file, "group", json);
  return {
    description: root.string("description"),
    tagFamily: root.string("tagFamily"),
    identityTags: parseTags(root, "identityTags"),
  };
}

/**
 * Parses one measure file of schema/.
 * @throws SchemaFileError naming file, path and problem
 */
export function parseMeasure(file: string, json: unknown): MeasureSpec {
  const root = new Reader(file, "measure", json);
  const sources: Source[] = [];
  const fields: FieldSpec[] = [];

  const sourceIndex = (reader: Reader, name: string, merge: MergeRule): number => {
    const known = sources.findIndex((source) => source.name === name);
    if (known < 0) return sources.push({ name, merge }) - 1;
    if (sources[known]?.merge !== merge) reader.fail(`source ${name} has two merge rules`);
    return known;
  };
  const histogram = parseHistogram(root, (name) => sourceIndex(root, name, "sum"));
  const sourceIndexes = (reader: Reader, name: string, merge: MergeRule): readonly number[] =>
    name === HISTOGRAM && histogram ? histogram.buckets : [sourceIndex(reader, name, merge)];
  const fieldIndex = (reader: Reader, name: string): number => {
    const index = fields.findIndex((field) => field.name === name);
    return index < 0 ? reader.fail(`percent uses ${name}, which no earlier field is named`) : index;
  };

  for (const entry of root.objects("fields")) {
    const base = {
      name: entry.string("name"),
      unit: entry.string("unit"),
      description: entry.string("description"),
      ...entry.text("cause"),
      ...entry.text("action"),
      prometheus: parsePrometheus(entry),
    };
    if (fields.some((field) => field.name === base.name)) entry.fail(`field ${base.name} is declared twice`);
    const percent = entry.optionalObject("percent");
    const quantile = entry.optionalPercent("quantile");
    if (percent) {
      if (entry.string("type") !== "float") entry.fail("a percentage must be of type float");
      const whole = percent.strings("whole").map((name) => fieldIndex(percent, name));
      const part = fieldIndex(percent, percent.string("part"));
      const complement = percent.flag("complement");
      fields.push({ ...base, type: "float", merge: "derive", part, whole, complement });
      continue;
    }
    if (entry.string("type") !== "int") entry.fail("a count must be of type int");
    if (quantile !== undefined) {
      if (!histogram) entry.fail("a quantile needs the histogram of its measure");
      fields.push({ ...base, type: "int", merge: "derive", percent: quantile });
      continue;
    }
    const merge = parseMerge(entry);
    const indexes = entry.strings("source").flatMap((name) => sourceIndexes(entry, name, merge));
    fields.push({ ...base, type: "int", merge, sources: indexes });
  }
  return {
    name: root.string("measure"),
    description: root.string("description"),
    ...root.text("notes"),
    tags: parseTags(root, "tags"),
    fields,
    sources,
    ...(histogram && { histogram }),
    optional: root.flag("optional"),
    heartbeat: root.flag("heartbeat"),
  };
}

/** Names all buckets of the histogram together where a field lists its sources. */
const HISTOGRAM = "histogram";

function parseHistogram(root: Reader, sourceIndex: (name: string) => number): HistogramSpec | undefined {
  const entry = root.optionalObject(HISTOGRAM);
  if (!entry) return undefined;
  const bounds = entry.bounds("bounds");
  const buckets = bounds.map((bound) => sourceIndex(bucketSource(bound)));
  const shown = entry.optionalObject("prometheus");
  if (!shown) return { bounds, buckets };
  const prometheus = {
    name: shown.string("name"),
    description: shown.string("description"),
    scale: shown.factor("scale"),
    sum: sourceIndex(shown.string("sum")),
  };
  return { bounds, buckets, prometheus };
}
