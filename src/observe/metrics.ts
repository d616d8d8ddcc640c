/** /metrics: the fields of every measure under their Prometheus names, and the sidecar's own state. Pure. */
import type { Schema } from "../model/measure.js";
import type { SidecarStatus } from "../model/status.js";
import type { Totals } from "../model/totals.js";
import { measureMetrics } from "./measure-metrics.js";
import { ownMetrics } from "./own-metrics.js";
import { exposition, type Labels } from "./prometheus.js";

export interface MetricsInput {
  readonly status: SidecarStatus;
  /** undefined before the first tick. */
  readonly totals: Totals | undefined;
}

/** Prepares what does not change; `labels` stand on every sample, over the identity where both have one. */
export function metricsPage(schema: Schema, labels: Labels = {}): (input: MetricsInput) => string {
  const ofMeasures = measureMetrics(schema);
  return ({ status, totals }) => {
    const { identity } = status;
    const measured = totals ? ofMeasures(totals, identity, labels) : "";
    return measured + exposition(ownMetrics(status), { ...identity, ...labels });
  };
}
