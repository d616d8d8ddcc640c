/** The Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure. */

export type Labels = Readonly<Record<string, string>>;

export interface MetricHead {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
}

export interface Metric extends MetricHead {
  readonly samples: readonly {
    /** After the name, such as _bucket of a histogram. */
    readonly suffix?: string;
    readonly labels: Labels;
    readonly value: number | bigint;
  }[];
}

/** Content type of a page in this format. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The two lines before the samples of a metric, each with its end. */
export function headLines({ name, type, help }: MetricHead): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
}

/** `a="b",c="d"`, to stand between the braces; empty where there are none. */
export function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(",");
}

/** Two parts of what stands between the braces; either may be empty. */
export function joinLabels(one: string, other: string): string {
  return one === "" || other === "" ? one + other : `${one},${other}`;
}

/** One line with its end; `labels` as labelText gives them. */
export function sampleLine(name: string, labels: string, value: number | bigint): string {
  return labels === "" ? `${name} ${numberText(value)}\n` : `${name}{${labels}} ${numberText(value)}\n`;
}

/** Writes metrics, `common` labels on every sample; one without samples is left out. */
export function exposition(metrics: readonly Metric[], common: Labels): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(({ samples, ...head }) => {
      const lines = samples.map(({ suffix = "", labels, value }) =>
        sampleLine(head.name + suffix, labelText({ ...common, ...labels }), value),
      );
      return headLines(head) + lines.join("");
    })
    .join("");
}

/** A bigint as it is: Prometheus rounds to a double, others need not. */
function numberText(value: number | bigint): string {
  if (typeof value === "bigint" || Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return /["\\\n]/.test(text) ? escapeHelp(text).replaceAll('"', '\\"') : text;
}

/** What a binary fraction adds behind them is noise. */
const DIGITS = 15;

/** Times a factor, without what a binary fraction adds behind the last digit. */
export function scaled(value: number | bigint, scale: number): number | bigint {
  return scale === 1 ? value : Number((Number(value) * scale).toPrecision(DIGITS));
}
