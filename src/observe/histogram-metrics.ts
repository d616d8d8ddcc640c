/** The histograms of the measures as metrics: everything since the start. Pure. */
import type { HistogramName, MeasureSpec, Schema } from "../model/measure.js";
import type { Sample } from "../model/tick.js";
import type { Totals } from "../model/totals.js";
import { headLines, joinLabels, labelText, sampleLine, scaled } from "./prometheus.js";

/** Returns what renders them, with the labels of each series. */
export function histogramMetrics(
  schema: Schema,
): (series: Totals["series"], labelsOf: (sample: Sample) => string) => string {
  const histograms = histogramsOf(schema);
  return (series, labelsOf) =>
    histograms.map((histogram) => histogramText(histogram, series, labelsOf)).join("");
}

/** A histogram as a metric; what is counted at the last bound has none above it. */
interface HistogramFamily {
  readonly measure: MeasureSpec;
  readonly shown: HistogramName;
  readonly head: string;
  /** By bucket, its label and the index of its source. */
  readonly buckets: readonly (readonly [label: string, source: number])[];
}

function histogramsOf({ measures }: Schema): HistogramFamily[] {
  return measures.flatMap((measure): HistogramFamily[] => {
    const { histogram } = measure;
    if (!histogram?.prometheus) return [];
    const { bounds, buckets, prometheus: shown } = histogram;
    const text = (bound: number) => (bound === bounds.at(-1) ? "+Inf" : String(scaled(bound, shown.scale)));
    const head = headLines({ name: shown.name, type: "histogram", help: shown.description });
    const labelled = bounds.map((bound, i) => [labelText({ le: text(bound) }), buckets[i] ?? -1] as const);
    return [{ measure, shown, head, buckets: labelled }];
  });
}

/** Empty where nothing was ever counted in it. */
function histogramText(
  { measure, shown, head, buckets }: HistogramFamily,
  series: Totals["series"],
  labelsOf: (sample: Sample) => string,
): string {
  let text = "";
  for (const { sample, sums } of series.values()) {
    const sum = sums[shown.sum];
    if (sample.measure.name !== measure.name || sum === undefined) continue;
    const labels = labelsOf(sample);
    let count = 0n;
    for (const [le, source] of buckets) {
      count += sums[source] ?? 0n;
      text += sampleLine(`${shown.name}_bucket`, joinLabels(labels, le), count);
    }
    text += sampleLine(`${shown.name}_sum`, labels, scaled(sum, shown.scale));
    text += sampleLine(`${shown.name}_count`, labels, count);
  }
  return text === "" ? "" : head + text;
}
