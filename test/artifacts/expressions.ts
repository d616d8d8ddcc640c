/** PromQL expressions in dashboards and rules. Pure. */

export interface Expression {
  /** Where it stands, such as grafana/x.json "Miss rate". */
  readonly where: string;
  readonly text: string;
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Every `expr` below a value, with the nearest title, alert or record name above it. */
export function expressionsIn(file: string, value: unknown, name = ""): Expression[] {
  if (Array.isArray(value)) return value.flatMap((item) => expressionsIn(file, item, name));
  if (!isObject(value)) return [];
  const own = [value["title"], value["alert"], value["record"]].find((text) => typeof text === "string");
  const title = typeof own === "string" ? own : name;
  const text = value["expr"];
  const here = typeof text === "string" ? [{ where: `${file} "${title}"`, text }] : [];
  return [...here, ...Object.values(value).flatMap((item) => expressionsIn(file, item, title))];
}

/** Grafana's own variables; those of the board may be anything. */
const OWN_VARIABLES: Readonly<Record<string, string>> = {
  __rate_interval: "20s",
  __interval: "20s",
  __range: "1m",
};

/** As Grafana would ask, with every variable open. */
export function filledIn(text: string): string {
  return text.replaceAll(
    /\$(?:\{(\w+)(?::\w+)?\}|(\w+))/g,
    (_, braced: string | undefined, bare: string | undefined) => OWN_VARIABLES[braced ?? bare ?? ""] ?? ".*",
  );
}

const OURS = /\bebpf_\w+/g;

/** Names of metrics of ours. */
export function metricsIn(text: string): string[] {
  return [...new Set(text.match(OURS))];
}
