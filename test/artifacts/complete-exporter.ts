/**
 * A /metrics page of the product's own renderer with every series that schema/ has, also those that this kernel does
 * not offer. What a tick adds is the same each time, so every rate is known.
 */
import { readSchema } from "../../src/config/schema-files.js";
import type { MeasureSpec, Schema } from "../../src/model/measure.js";
import { makeSample, type Sample, type Tick } from "../../src/model/tick.js";
import { addToTotals, type Totals } from "../../src/model/totals.js";
import { serveHttp } from "../../src/observe/http.js";
import { sidecarPages } from "../../src/observe/pages.js";
import { HEALTHY } from "../support/status.js";

/** Values that the tags of the measures really have. */
const TAG_VALUES: Readonly<Record<string, readonly string[]>> = {
  advice: ["willneed", "dontneed"],
  scope: ["target", "node"],
  catalog: ["measure", "stream"],
  db_group: ["sw_metricsMinute"],
  file_kind: ["data", "index"],
  outcome: ["hit", "missed"],
};

export interface CompleteExporter {
  readonly port: number;
  /** The page as it is now. */
  page(): string;
  close(): Promise<void>;
}

export interface ExporterOptions {
  readonly port?: number;
  readonly tickMs: number;
  readonly labels?: Readonly<Record<string, string>>;
}

export async function startCompleteExporter({
  port = 0,
  tickMs,
  labels = {},
}: ExporterOptions): Promise<CompleteExporter> {
  const schema = readSchema();
  const samples = completeSamples(schema);
  let ticks = 0;
  let totals: Totals | undefined;
  const tick = () => {
    ticks++;
    const next: Tick = { timestampMs: ticks * tickMs, version: BigInt(ticks), intervalMs: tickMs, samples };
    totals = addToTotals(totals, next);
  };
  tick();
  const timer = setInterval(tick, tickMs);
  const pages = sidecarPages({ schema, labels, status: () => HEALTHY, totals: () => totals });
  const endpoint = await serveHttp({ host: "127.0.0.1", port }, pages);
  return {
    port: endpoint.port,
    page: () => pages["/metrics"]?.().body ?? "",
    close: async () => {
      clearInterval(timer);
      await endpoint.close();
    },
  };
}

/** All series of all measures. */
export function completeSamples({ measures }: Schema): Sample[] {
  return measures.flatMap(samplesOf);
}

/** One sample for each combination of values of the tags. */
function samplesOf(measure: MeasureSpec): Sample[] {
  const series = measure.tags.reduce<string[][]>(
    (before, { name }) =>
      before.flatMap((tags) => (TAG_VALUES[name] ?? ["x"]).map((value) => [...tags, value])),
    [[]],
  );
  return series.map((tags, row) => {
    const at = new Map(measure.sources.map(({ name }, i) => [name, i]));
    return makeSample(measure, tags, (source) => amount(measure, source, at.get(source) ?? 0, row));
  });
}

/** Multiples of 60, so that what comes per second and per minute is whole; states stay what they are. */
function amount(measure: MeasureSpec, source: string, at: number, row: number): number {
  return measure.heartbeat && source === "status" ? 1 : 60 * (at + 1) * (row + 1);
}
