/** The Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure. */

export type Labels = Readonly<Record<string, string>>;

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly {
    /** After the name, such as _bucket of a histogram. */
    readonly suffix?: string;
    readonly labels: Labels;
    readonly value: number;
  }[];
}

/** Content type of what `exposition` returns. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Writes metrics, `common` labels on every sample; one without samples is left out. */
export function exposition(metrics: readonly Metric[], common: Labels): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, type, help, samples }) => {
      const lines = samples.map(
        ({ suffix = "", labels, value }) =>
          `${name}${suffix}${braces({ ...common, ...labels })} ${number(value)}`,
      );
      return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines, ""].join("\n");
    })
    .join("");
}

function braces(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length > 0 ? `{${parts.join(",")}}` : "";
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
