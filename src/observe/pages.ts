/** What the HTTP endpoint says: /livez, /readyz, /health, /metrics. */
import type { Schema } from "../model/measure.js";
import type { SidecarStatus } from "../model/status.js";
import type { Totals } from "../model/totals.js";
import { isReady, judgeHealth } from "./health.js";
import type { Page, Pages } from "./http.js";
import { metricsPage } from "./metrics.js";
import { CONTENT_TYPE, type Labels } from "./prometheus.js";

export interface PagesInput {
  readonly schema: Schema;
  /** On every sample of /metrics. */
  readonly labels?: Labels;
  /** undefined while the sidecar starts. */
  readonly status: () => SidecarStatus | undefined;
  /** undefined before the first tick. */
  readonly totals: () => Totals | undefined;
}

const STARTING = plain(503, "starting");

/** The four pages. */
export function sidecarPages({ schema, labels, status, totals }: PagesInput): Pages {
  const metrics = metricsPage(schema, labels);
  const withStatus = (page: (now: SidecarStatus) => Page) => (): Page => {
    const now = status();
    return now === undefined ? STARTING : page(now);
  };
  return {
    // Alive is who can answer; a fault of the kernel or of BanyanDB is not cured by a restart.
    "/livez": () => plain(200, "ok"),
    "/readyz": withStatus((now) => (isReady(now) ? plain(200, "ok") : plain(503, "no probe is attached"))),
    "/health": withStatus((now) => {
      const { httpStatus, ...health } = judgeHealth(now);
      return {
        status: httpStatus,
        contentType: "application/json",
        body: `${JSON.stringify({ ...health, ...now })}\n`,
      };
    }),
    "/metrics": withStatus((now) => ({
      status: 200,
      contentType: CONTENT_TYPE,
      body: metrics({ status: now, totals: totals() }),
    })),
  };
}

function plain(status: number, line: string): Page {
  return { status, contentType: "text/plain; charset=utf-8", body: `${line}\n` };
}
