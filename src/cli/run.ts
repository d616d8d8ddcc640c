/** `run`: measure and deliver until told to stop. */
import { runAgent, type Agent } from "../agent.js";
import { packageVersion, configuredSchema } from "../config/schema-files.js";
import type { Config } from "../config/config.js";
import { ownUserIds, readGuardedFile } from "../config/guarded-file.js";
import { readSecrets, secretFiles } from "../config/secrets.js";
import { identityTags } from "../config/targets.js";
import { acquireInstanceLock } from "../instance-lock.js";
import type { Log } from "../model/log.js";
import type { Schema } from "../model/measure.js";
import { type HttpEndpoint, serveHttp } from "../observe/http.js";
import { createLog } from "../observe/log.js";
import { sidecarPages } from "../observe/pages.js";
import { type Arguments, CONFIG_OPTIONS } from "./arguments.js";
import { type Command, configOf, type Context, type Signals } from "./command.js";
import { dryRunSink } from "./dry-run.js";
import { EXIT } from "./exit-code.js";
import { createReloader } from "./reload.js";
import { systemClocks } from "./system-clocks.js";

/**
 * Time for the last delta and what is queued, from the first signal on. Docker kills after 10 s, Kubernetes
 * after 30; half a second is left for the rest of the end.
 */
const STOP_DEADLINE_MS = 9500;

/** Between two looks at the files of secrets; a look, since notices of changes do not cross every mount. */
const REFRESH_MS = 5000;

export const runCommand: Command = {
  name: "run",
  summary: "Measure and deliver until SIGTERM or SIGINT",
  usage: "[--dry-run] [--config FILE] [--KEY VALUE]...",
  description:
    "Measures and writes to BanyanDB, and answers /livez, /readyz, /health and /metrics. SIGTERM or SIGINT takes " +
    "the last reading and delivers what is left within 10 s; a second signal ends at once with exit code 1. " +
    "SIGHUP reads the configuration again: interval, endpoints, account, TLS, queue, delivery and log.level change " +
    "at once, the rest says that it needs a restart, and a bad one changes nothing. " +
    "A second `run` for the same banyandb.group and node.id on this host is refused.",
  options: [
    {
      name: "dry-run",
      doc: "Print the rows as JSON lines on standard output; no BanyanDB, no HTTP endpoint, no lock",
    },
    ...CONFIG_OPTIONS,
  ],
  operands: [],
  run,
};

/** What both kinds of `run` need. */
interface Start {
  readonly config: Config;
  readonly schema: Schema;
  readonly log: Log;
  readonly context: Context;
  /** Lets agent and endpoint follow changes of the configuration and of secrets; returns what ends that. */
  readonly follow: (agent: Agent, signals: Signals, endpoint?: HttpEndpoint) => () => void;
}

async function run(args: Arguments, context: Context): Promise<number> {
  const initial = configOf(args, context);
  const { config } = initial;
  const log = createLog({ level: config.log.level, stream: context.stderr, clock: systemClocks });
  const ownIds = ownUserIds(context.environment);
  const follow: Start["follow"] = (agent, signals, endpoint) => {
    const reloader = createReloader({
      initial,
      load: () => configOf(args, context),
      readSecrets: (used) => readSecrets(secretFiles(used), readGuardedFile, ownIds),
      apply: (changed) => {
        log.setLevel(changed.log.level);
        agent.configure(changed);
        if (changed.http.tls) endpoint?.setCertificate(changed.http.tls);
      },
      log,
    });
    signals.onReload(() => {
      reloader.reload();
    });
    const timer = setInterval(() => {
      reloader.refresh();
    }, REFRESH_MS);
    return () => {
      clearInterval(timer);
    };
  };
  const start: Start = { config, schema: configuredSchema(config), log, context, follow };
  return args.switches.has("dry-run") ? runDry(start) : runService(start);
}

async function runDry({ config, schema, log, context, follow }: Start): Promise<number> {
  const { stdout } = context;
  const sink = dryRunSink({ group: schema.group, identity: identityTags(config.node), stdout, log });
  const agent = runAgent({ config, schema, log, sink, version: packageVersion() });
  const unread = new AbortController();
  // The reader of the rows has seen enough (EPIPE), as `head` does.
  stdout.on("error", () => {
    unread.abort();
  });
  const signals = context.signals();
  const unfollow = follow(agent, signals);
  const stop = AbortSignal.any([signals.stop, unread.signal]);
  return untilStopped(agent, log, { stop, kill: signals.kill }).finally(unfollow);
}

async function runService({ config, schema, log, context, follow }: Start): Promise<number> {
  const { group } = config.banyandb;
  const lock = await acquireInstanceLock({ group, nodeId: config.node.id });
  let endpoint: HttpEndpoint | undefined;
  let agent: Agent | undefined;
  try {
    const { listen, tls, metricsLabels } = config.http;
    const pages = sidecarPages({
      schema,
      labels: metricsLabels,
      status: () => agent?.status(),
      totals: () => agent?.totals(),
    });
    endpoint = listen && (await serveHttp(listen, pages, tls));
    const signals = context.signals();
    const version = packageVersion();
    const { pinPath } = config.kernel;
    agent = runAgent({ config, schema, log, sink: "banyandb", version, pinPath });
    const unfollow = follow(agent, signals, endpoint);
    log.info("started", {
      version,
      tier: agent.status().kernel.tier,
      interval_ms: config.intervalMs,
      node_id: config.targets.map(({ node }) => node.id).join(", "),
      banyandb: config.banyandb.endpoints,
      group,
      http: listen && endpoint ? `${listen.host} port ${endpoint.port}` : "off",
    });
    return await untilStopped(agent, log, signals).finally(unfollow);
  } finally {
    await endpoint?.close();
    await lock.release();
  }
}

/** Waits for a signal, then stops the agent in good order, or at once on the second one. */
async function untilStopped(
  agent: Agent,
  log: Log,
  { stop, kill }: Pick<Signals, "stop" | "kill">,
): Promise<number> {
  try {
    await aborted(stop);
    log.info("stopping", { deadline_ms: STOP_DEADLINE_MS });
    const killed = await Promise.race([
      agent.stop(STOP_DEADLINE_MS).then(() => false),
      aborted(kill).then(() => true),
    ]);
    reportEnd(agent, log, killed);
    return killed ? EXIT.failure : EXIT.ok;
  } finally {
    agent.abort();
    agent.close();
  }
}

function reportEnd(agent: Agent, log: Log, killed: boolean): void {
  const { delivery } = agent.status();
  const points = delivery?.points;
  const left = points ? points.queued + points.inFlight : 0;
  const message = killed ? "ended at once by a second signal" : "stopped";
  log[killed || left > 0 ? "warn" : "info"](message, {
    ticks: agent.ticks(),
    points_collected: points?.collected,
    points_written: points?.written,
    points_rejected: points?.rejected,
    points_coalesced: points?.coalesced,
    points_dropped: points?.dropped,
    points_not_delivered: points && left,
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener(
      "abort",
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
