/** `top` as it runs: an agent whose ticks are shown and not delivered. */
import { runAgent, type Agent, type Sink } from "../agent.js";
import type { Config } from "../config/config.js";
import type { Log } from "../model/log.js";
import type { Schema } from "../model/measure.js";
import { createHistory } from "./history.js";
import type { Frame } from "./render.js";

export interface TopOptions {
  readonly config: Config;
  readonly schema: Schema;
  readonly log: Log;
  /** Version of this program. */
  readonly version: string;
  /** The newest warning, to be shown with the numbers. */
  readonly notice: () => string | undefined;
  /** Takes each interval; returns whether there is enough. */
  readonly show: (frame: Frame) => boolean;
  /** Ends it. */
  readonly stop: AbortSignal;
}

/** People watch it: at least this often there is something new. */
const INTERVAL_MAX_MS = 1000;

/**
 * Shows intervals until `show` has enough or `stop`.
 * @throws KernelError where nothing can be measured
 */
export async function runTop(options: TopOptions): Promise<void> {
  const { schema, log, version, notice, show, stop } = options;
  const intervalMs = Math.min(options.config.intervalMs, INTERVAL_MAX_MS);
  const history = createHistory(schema);
  let agent: Agent | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const sink: Sink = {
        enqueue(tick) {
          const view = history.add(tick);
          if (agent && show({ view, kernel: agent.status().kernel, notice: notice() })) resolve();
        },
        status: () => undefined,
        stop: () => Promise.resolve(),
        abort: () => undefined,
      };
      if (stop.aborted) {
        resolve();
        return;
      }
      stop.addEventListener("abort", () => {
        resolve();
      });
      try {
        agent = runAgent({ config: { ...options.config, intervalMs }, schema, log, sink, version });
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  } finally {
    agent?.abort();
    agent?.close();
  }
}
