/**
 * MAL rules of the shapes that configs/skywalking/ uses, and what they must give, computed from two scrapes without
 * SkyWalking. Pure.
 *
 *   counter  name.tagEqual(…).rate('PT1M').sum([…]) * k, or with sum before rate
 *   quotient counter.safeDiv(counter) * k
 *   gauge    name.max([…]) * k .downsampling(…)
 */
import type { Series } from "./exposition.js";

export interface Rule {
  /** Prefix and name, as SkyWalking stores it. */
  readonly name: string;
  readonly expression: string;
}

export interface RuleFile {
  readonly rules: readonly Rule[];
  readonly suffix: string;
}

/** One scrape; `atSec` on any clock. */
export interface Scrape {
  readonly atSec: number;
  readonly samples: readonly Series[];
}

/** A value for each combination of the labels that the rule keeps. */
export interface Expected {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Yaml {
  readonly metricPrefix: string;
  readonly expSuffix: string;
  readonly metricsRules: readonly { readonly name: string; readonly exp: string }[];
}

export function ruleFileOf(yaml: unknown): RuleFile {
  const { metricPrefix, expSuffix, metricsRules } = yaml as Yaml;
  const rules = metricsRules.map(({ name, exp }) => ({ name: `${metricPrefix}_${name}`, expression: exp }));
  return { rules, suffix: expSuffix };
}

const FILTERS = /((?:\.tagEqual\('\w+','\w+'\))*)/.source;
const KEEP = /\[([^\]]*)\]/.source;
const COUNTER = `(\\w+)${FILTERS}(?:\\.rate\\('PT1M'\\)\\.sum\\(${KEEP}\\)|\\.sum\\(${KEEP}\\)\\.rate\\('PT1M'\\))`;
const SCALE = /(?: \* (\d+))?/.source;
const COUNTER_RULE = new RegExp(`^${COUNTER}${SCALE}$`);
const QUOTIENT_RULE = new RegExp(`^${COUNTER}\\.safeDiv\\(${COUNTER}\\)${SCALE}$`);
const GAUGE_RULE = new RegExp(`^(\\w+)\\.max\\(${KEEP}\\)${SCALE}(?:\\.downsampling\\(\\w+\\))?$`);

/** Names of the metrics that a rule reads. */
export function metricsOfRule({ expression }: Rule): string[] {
  return [
    ...new Set(
      [...expression.matchAll(/\b(\w+)\.(?:tagEqual|rate|sum|max)\(/g)].map((match) => match[1] ?? ""),
    ),
  ];
}

/** @throws Error where the rule has another shape */
export function expectedOf({ name, expression }: Rule, first: Scrape, second: Scrape): Expected[] {
  const quotient = QUOTIENT_RULE.exec(expression);
  if (quotient) {
    const [, a = "", aFilters, aKeep, aKeep2, b = "", bFilters, bKeep, bKeep2, scale] = quotient;
    const parts = rates(first, second, a, aFilters, aKeep ?? aKeep2);
    const wholes = rates(first, second, b, bFilters, bKeep ?? bKeep2);
    return [...parts].map(([key, part]) =>
      expected(key, (part / (wholes.get(key) ?? Number.NaN)) * factor(scale)),
    );
  }
  const counter = COUNTER_RULE.exec(expression);
  if (counter) {
    const [, metric = "", filters, keep, keep2, scale] = counter;
    return [...rates(first, second, metric, filters, keep ?? keep2)].map(([key, value]) =>
      expected(key, value * factor(scale)),
    );
  }
  const gauge = GAUGE_RULE.exec(expression);
  if (gauge) {
    const [, metric = "", keep, scale] = gauge;
    const values = grouped(second, metric, "", keep, Math.max);
    return [...values].map(([key, value]) => expected(key, value * factor(scale)));
  }
  throw new Error(`${name}: a rule of a shape that the check does not know: ${expression}`);
}

/** What SkyWalking stores: a whole number, at least 1 where there is anything (Analyzer.getValue). */
export function storedValue(value: number): number {
  return value <= 0 ? 0 : value < 1 ? 1 : Math.round(value);
}

const factor = (scale: string | undefined): number => Number(scale ?? 1);

function expected(key: string, value: number): Expected {
  return { labels: JSON.parse(key) as Record<string, string>, value };
}

function rates(
  first: Scrape,
  second: Scrape,
  metric: string,
  filters = "",
  keep = "",
): ReadonlyMap<string, number> {
  const before = grouped(first, metric, filters, keep, (a, b) => a + b);
  const after = grouped(second, metric, filters, keep, (a, b) => a + b);
  const seconds = second.atSec - first.atSec;
  return new Map(
    [...after].map(([key, value]) => [key, (value - (before.get(key) ?? Number.NaN)) / seconds]),
  );
}

/** By the labels that are kept, as JSON in the order of their names. */
function grouped(
  { samples }: Scrape,
  metric: string,
  filters = "",
  keep = "",
  join: (a: number, b: number) => number,
): ReadonlyMap<string, number> {
  const wanted = [...filters.matchAll(/'(\w+)','(\w+)'/g)];
  const kept = [...keep.matchAll(/'(\w+)'/g)].map((match) => match[1] ?? "").sort();
  const groups = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    if (name !== metric || wanted.some(([, label = "", text]) => labels[label] !== text)) continue;
    const key = JSON.stringify(Object.fromEntries(kept.map((label) => [label, labels[label] ?? ""])));
    const other = groups.get(key);
    groups.set(key, other === undefined ? value : join(other, value));
  }
  return groups;
}
