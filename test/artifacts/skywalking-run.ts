/**
 * /metrics to SkyWalking and back: a page of our own renderer → a real OpenTelemetry Collector with our configuration →
 * a real OAP 10.1.0 with our MAL rules → the values that MQE answers, beside what the page itself says. Takes minutes:
 * OAP needs three full minutes of samples.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../support/package-root.js";
import { startCompleteExporter } from "./complete-exporter.js";
import { samplesIn, type Series } from "./exposition.js";
import { COLLECTOR_LABELS, rulesOf } from "./mal-check.js";
import { expectedOf, type Expected, type Rule, storedValue } from "./mal.js";
import { type PageAnswers, pageAnswers } from "./horizon-page.js";
import { type Entity, MINUTE_MS, mqe } from "./mqe.js";
import { type Service, sleep, startService, waitUntil } from "./process.js";
import { freePort } from "./prometheus-server.js";
import { collector, type Fetching, oapServer } from "./tools.js";
import { type Check, judged, notRun, type Verdict } from "./verdict.js";

interface Variant {
  readonly file: string;
  /** Begins the names of its meters instead: no two rules of one OAP may have the same name. */
  readonly prefix: string;
  /** Whose values MQE is asked for. */
  readonly entity: Entity;
}

const VARIANTS: readonly [Variant, ...Variant[]] = [
  {
    file: "configs/skywalking/banyandb-ebpf-instance.yaml",
    prefix: "meter_eleven_",
    entity: { serviceName: "banyandb", serviceInstanceName: "standalone@banyandb-0" },
  },
  {
    file: "configs/skywalking/banyandb-ebpf-endpoint.yaml",
    prefix: "meter_banyandb_",
    entity: { serviceName: "banyandb", endpointName: "sw_metricsMinute" },
  },
  {
    file: "configs/skywalking/10.x/banyandb-ebpf-instance.yaml",
    prefix: "meter_banyandb_",
    entity: { serviceName: "banyandb::banyandb", serviceInstanceName: "banyandb-0" },
  },
];

/** All meters begin so in our files. */
const SHIPPED_PREFIX = "meter_banyandb_";

/** Much shorter than a window, so that it matters little which tick a scrape just sees. */
const TICK_MS = 1000;
const POLL_MS = 10_000;
const START_MS = 120_000;
/** The windows of the counters begin empty: the first two minutes are low. */
const WARM_UP_MS = 190_000;
const LIMIT_MS = 240_000;
/** Scrapes and minutes do not begin together. */
const TOLERANCE = 0.1;

export function skywalkingChecks(fetching: Fetching): Check[] {
  return [
    {
      artefact: "/metrics, collector configuration, MAL rules",
      checker: "collector, OAP 10.1.0, MQE",
      slow: true,
      run: () => check(fetching),
    },
  ];
}

async function check(fetching: Fetching): Promise<Verdict> {
  const [otelcol, oap] = [await collector(fetching), await oapServer(fetching)];
  if ("missing" in otelcol) return notRun(otelcol.missing);
  if ("missing" in oap) return notRun(oap.missing);
  const folder = mkdtempSync(join(tmpdir(), "check-skywalking-"));
  const exporter = await startCompleteExporter({ tickMs: TICK_MS });
  const first = exporter.page();
  const services: Service[] = [];
  try {
    const ports = { rest: await freePort(), grpc: await freePort() };
    services.push(startOap(folder, oap.path, ports));
    await waitUntil("OAP answers", START_MS, () => mqe(ports.rest, "1", { serviceName: "any" }), services[0]);
    services.push(startCollector(folder, otelcol.path, exporter.port, ports.grpc));
    for (let waitedMs = 0; waitedMs < WARM_UP_MS; waitedMs += POLL_MS) {
      fetching.progress(`${waitedMs / 1000} s of ${WARM_UP_MS / 1000} s of samples`);
      await sleep(POLL_MS);
      const ended = services.find((service) => service.ended() !== undefined);
      if (ended) return judged([ended.output().slice(-2000)], "");
    }
    return withPage(await compare(ports.rest, samplesIn(first)), await askPage(ports.rest));
  } finally {
    for (const service of services.reverse()) await service.stop();
    await exporter.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What 10.1.0 does not know yet: the layer, safeDiv and the labelled form of LATEST. */
function for101(rules: string, prefix: string): string {
  return rules
    .replace(`metricPrefix: ${SHIPPED_PREFIX}`.slice(0, -1), `metricPrefix: ${prefix}`.slice(0, -1))
    .replaceAll("Layer.BANYANDB", "Layer.GENERAL")
    .replaceAll(".safeDiv(", ".div(")
    .replaceAll("downsampling(LATEST)", "downsampling(MAX)");
}

function startOap(folder: string, jars: string, ports: { rest: number; grpc: number }): Service {
  const conf = join(folder, "conf");
  const rules = join(conf, "otel-rules/banyandb");
  for (const path of [rules, join(conf, "oal"), join(conf, "openapi-definitions")])
    mkdirSync(path, { recursive: true });
  const application = readFileSync(join(packageRoot, "test/artifacts/skywalking/application.yml"), "utf8");
  const files = {
    "application.yml": application
      .replace("REST_PORT", String(ports.rest))
      .replace("GRPC_PORT", String(ports.grpc)),
    "alarm-settings.yml": "rules: {}\nhooks: {}\n",
    "component-libraries.yml": "{}\n",
    "service-apdex-threshold.yml": "{}\n",
    "endpoint-name-grouping.yml": "{}\n",
    "oal/disable.oal": "// nothing\n",
    "log4j2.xml":
      '<Configuration><Appenders><Console name="out"/></Appenders><Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers></Configuration>',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(conf, name), text);
  VARIANTS.forEach(({ file, prefix }, i) => {
    writeFileSync(
      join(rules, `variant-${i}.yaml`),
      for101(readFileSync(join(packageRoot, file), "utf8"), prefix),
    );
  });
  const args = [
    "-Xmx1g",
    "-cp",
    `${conf}:${jars}/*`,
    "org.apache.skywalking.oap.server.starter.OAPServerStartUp",
  ];
  return startService("java", args, { cwd: folder });
}

/** The configuration as users have it; both targets are our page, since there is no BanyanDB. */
function startCollector(folder: string, program: string, exporterPort: number, oapPort: number): Service {
  const shipped = readFileSync(join(packageRoot, "configs/skywalking/otel-collector.yaml"), "utf8");
  const path = join(folder, "collector.yaml");
  // 10.x goes by `instance`: the part that users of it uncomment.
  writeFileSync(
    path,
    shipped.replace(/^( +)# (relabel_configs:| {2}- target_label: | {4}replacement: )/gm, "$1$2"),
  );
  const env = {
    BANYANDB_METRICS: "127.0.0.1:1",
    SIDECAR_METRICS: `127.0.0.1:${exporterPort}`,
    OAP_GRPC: `127.0.0.1:${oapPort}`,
  };
  return startService(program, ["--config", path], { env });
}

/** `first` has one tick, and every tick adds the same: two scrapes a minute apart. */
function wantedOf(rule: Rule, first: readonly Series[]): readonly Expected[] {
  const labelled = first.map((series) => ({ ...series, labels: { ...series.labels, ...COLLECTOR_LABELS } }));
  const ticks = MINUTE_MS / TICK_MS;
  const later = labelled.map((series) =>
    series.name.endsWith("_total") ? { ...series, value: series.value * (1 + ticks) } : series,
  );
  return expectedOf(rule, { atSec: 0, samples: labelled }, { atSec: 60, samples: later });
}

async function compare(port: number, first: readonly Series[]): Promise<Verdict> {
  const endMs = performance.now() + LIMIT_MS;
  for (;;) {
    const found = await Promise.all(
      VARIANTS.flatMap((variant) =>
        rulesOf(variant.file).map((rule) => compareRule(port, rule, variant, first)),
      ),
    );
    const problems = found.flatMap((one) => one.problems);
    const values = found.reduce((sum, one) => sum + one.values, 0);
    if (problems.length === 0 || performance.now() > endMs) {
      return judged(
        problems,
        `${found.length} rules of all variants, ${values} values equal (within ${TOLERANCE * 100} %)`,
      );
    }
    await sleep(POLL_MS);
  }
}

async function compareRule(
  port: number,
  rule: Rule,
  { prefix, entity }: Variant,
  first: readonly Series[],
): Promise<{ problems: string[]; values: number }> {
  const name = rule.name.replace(SHIPPED_PREFIX, prefix);
  const results = await mqe(port, name, entity);
  const newest = results.map(({ values }) =>
    Number(values.filter(({ value }) => value !== null).at(-1)?.value ?? "NaN"),
  );
  const wanted = wantedOf(rule, first).map(({ value }) => storedValue(value));
  const near = (a: number, b: number) => Math.abs(a - b) <= Math.max(1, TOLERANCE * b);
  const missing = wanted.filter((value) => !newest.some((one) => near(one, value)));
  const problem = `${name}: SkyWalking says ${newest.join(", ") || "nothing"}, ours is ${wanted.join(", ")}`;
  return { problems: missing.length > 0 ? [problem] : [], values: wanted.length - missing.length };
}

/** Its widgets ask for the meters of 11. */
function askPage(port: number): Promise<PageAnswers> {
  const [{ prefix, entity }] = VARIANTS;
  return pageAnswers(port, entity, (expression) => expression.replaceAll(SHIPPED_PREFIX, prefix));
}

/** The verdict of the rules, and that of the page. */
function withPage(rules: Verdict, page: PageAnswers): Verdict {
  if (rules.kind !== "passed") return rules;
  return judged(
    page.problems,
    `${rules.note}; ${page.answers.length} values for the Horizon page`,
    page.answers,
  );
}
