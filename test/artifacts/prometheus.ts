/** /metrics, dashboards and rules: promtool, and a real Prometheus that scrapes a running sidecar. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { packageRoot } from "../support/package-root.js";
import { type CompleteExporter, startCompleteExporter } from "./complete-exporter.js";
import { type Expression, expressionsIn, filledIn, metricsIn } from "./expressions.js";
import { samplesIn, seriesKey } from "./exposition.js";
import { lastLines, run, sleep, waitUntil } from "./process.js";
import { type Point, type PrometheusServer, startPrometheus } from "./prometheus-server.js";
import { type Fetching, prometheusTools } from "./tools.js";
import { type Check, judged, notRun, type Verdict } from "./verdict.js";
import { startWatchedSidecar, type WatchedSidecar } from "./watched-sidecar.js";

const TICK_MS = 1000;
/** The window of the rate, and as long before it so that no counter begins in it. */
const WINDOW_SEC = 10;
const SETTLE_MS = 20_000;
/** A counter that every exporter has once, from its first tick on. */
const READS = "ebpf_cache_reads_total";
/** Ticks and scrapes have beginnings of their own: one of each may fall out of a window. */
const RATE_TOLERANCE = 0.2;

interface Rig {
  readonly folder: string;
  readonly server: PrometheusServer;
  readonly sidecar: WatchedSidecar;
  readonly complete: CompleteExporter;
}

/** The checks, and what ends the processes that they share. */
export function prometheusChecks(fetching: Fetching): { checks: Check[]; close: () => Promise<void> } {
  let started: Promise<Rig | string> | undefined;
  const rig = () => (started ??= startRig(fetching));
  const withRig = (act: (rig: Rig) => Promise<Verdict>) => async () => {
    const ready = await rig();
    return typeof ready === "string" ? notRun(ready) : act(ready);
  };
  const check = (artefact: string, checker: string, act: (rig: Rig) => Promise<Verdict>): Check => ({
    artefact,
    checker,
    slow: false,
    run: withRig(act),
  });
  const checks = [
    check("/metrics, every series of schema/", "promtool check metrics", (r) =>
      lint(r.folder, r.complete.page()),
    ),
    check("/metrics of a running sidecar", "promtool check metrics", async (r) =>
      lint(r.folder, await pageOf(r.sidecar)),
    ),
    check("/metrics of a running sidecar", "Prometheus: values and rates", sameNumbers),
    ...PROMTOOL.flatMap(({ key, words }) =>
      prometheusFiles(key).map((file) =>
        check(file, `promtool ${words.join(" ")}`, (r) => promtool(r.folder, words, file)),
      ),
    ),
    ...[...ruleFiles(), ...dashboards()].map((file) =>
      check(file, "expressions answered by Prometheus", (r) => answered(r, file)),
    ),
  ];
  const close = async () => {
    const ready = await started?.catch(() => undefined);
    if (ready === undefined || typeof ready === "string") return;
    await Promise.all([ready.server.close(), ready.sidecar.close(), ready.complete.close()]);
  };
  return { checks, close };
}

async function startRig(fetching: Fetching): Promise<Rig | string> {
  const found = await prometheusTools(fetching);
  if ("missing" in found) return found.missing;
  const complete = await startCompleteExporter({ tickMs: TICK_MS });
  const sidecar = await startWatchedSidecar(TICK_MS);
  const jobs = [
    { name: "sidecar", port: sidecar.port },
    { name: "complete", port: complete.port },
  ];
  const rules = ruleFiles().map((file) => join(packageRoot, file));
  const server = await startPrometheus(found.path, jobs, rules);
  return { folder: found.path, server, sidecar, complete };
}

function filesBelow(folder: string, ending: string): string[] {
  const path = join(packageRoot, folder);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(path, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
    .sort();
}

/** What promtool says to a file, by a key that its content has. */
const PROMTOOL = [
  { key: "groups", words: ["check", "rules"] },
  { key: "tests", words: ["test", "rules"] },
  { key: "scrape_configs", words: ["check", "config"] },
] as const;

function prometheusFiles(key: string): string[] {
  return filesBelow("configs/prometheus", ".yaml").filter((file) => key in (contentOf(file) as object));
}

const ruleFiles = (): string[] => prometheusFiles("groups");

function dashboards(): string[] {
  return filesBelow("configs/grafana", ".json").filter((file) => "panels" in (contentOf(file) as object));
}

function contentOf(file: string): unknown {
  return parse(readFileSync(join(packageRoot, file), "utf8"));
}

async function pageOf({ port }: WatchedSidecar): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

async function lint(folder: string, page: string): Promise<Verdict> {
  const result = await run(join(folder, "promtool"), ["check", "metrics"], { input: page });
  const problems = result.code === 0 ? [] : [`exit code ${result.code ?? "none"}`];
  return judged([...lastLines(result), ...problems], `${samplesIn(page).length} samples, nothing to say`);
}

async function promtool(folder: string, words: readonly string[], file: string): Promise<Verdict> {
  const result = await run(join(folder, "promtool"), [...words, join(packageRoot, file)]);
  const said = result.stdout.trim().split("\n").at(-1)?.trim() ?? "";
  return judged(result.code === 0 ? [] : lastLines(result), said);
}

/** Until no window of a rate begins before the first scrape of either exporter. */
async function settled(server: PrometheusServer): Promise<void> {
  await waitUntil("two windows of samples", SETTLE_MS * 2, async () => {
    const counts = await server.query(`count_over_time(${READS}{job=~"complete|sidecar"}[2m])`);
    return counts.length === 2 && counts.every(({ value }) => value > 2 * WINDOW_SEC) ? true : undefined;
  });
}

/** Prometheus has what the page says, the page has what BanyanDB stores, and its rates are those of the rows. */
async function sameNumbers({ server, sidecar }: Rig): Promise<Verdict> {
  const name = READS;
  await settled(server);
  const atMs = Date.now();
  const rate =
    (await server.query(`rate(${name}{job="sidecar"}[${WINDOW_SEC}s])`, atMs))[0]?.value ?? Number.NaN;
  await sidecar.quiet();
  await sleep(3 * TICK_MS);

  const before = new Set((await pageOf(sidecar)).split("\n"));
  await sleep(2 * TICK_MS);
  const scraped = new Map(
    (await server.query('{job="sidecar"}')).map(({ metric, value }) => [
      seriesKey(metric["__name__"] ?? "", metric),
      value,
    ]),
  );
  // What is said of the node and of the sidecar itself goes on changing.
  const page = (await pageOf(sidecar)).split("\n").filter((line) => before.has(line));
  const still = samplesIn(page.join("\n"));
  const counters = still.filter((sample) => sample.name.endsWith("_total"));
  const lost = counters
    .filter((sample) => scraped.get(seriesKey(sample.name, sample.labels)) !== sample.value)
    .map((sample) => `${sample.name}: the page says ${sample.value}, Prometheus has another value or none`);

  const onPage = still.find((sample) => sample.name === name)?.value ?? 0;
  const { rows, sums } = await sidecar.stored("page_cache");
  const unequal =
    sums["reads"] === onPage ? [] : [`reads: ${sums["reads"] ?? 0} stored, ${onPage} on the page`];
  const inWindow = rows.filter(
    ({ timestampMs }) => timestampMs > atMs - WINDOW_SEC * 1000 && timestampMs <= atMs,
  );
  const ours = inWindow.reduce((sum, { fields }) => sum + (fields["reads"] ?? 0), 0) / WINDOW_SEC;
  const differs = Math.abs(rate - ours) > RATE_TOLERANCE * ours || !(ours > 0);
  const rates = `rate ${rate.toFixed(0)}/s, by the rows ${ours.toFixed(0)}/s`;
  return judged(
    [...lost, ...unequal, ...(differs ? [rates] : [])],
    `${counters.length} counters equal, ${onPage} reads on page, in Prometheus and in BanyanDB; ${rates}`,
  );
}

/** Every metric of ours exists, and every expression is answered; one of a dashboard with a number. */
async function answered({ server }: Rig, file: string): Promise<Verdict> {
  await settled(server);
  const expressions = expressionsIn(file, contentOf(file));
  const alerts = file.endsWith(".yaml");
  const found = await Promise.all(expressions.map((expression) => answerOf(server, expression, alerts)));
  const none = expressions.length === 0 ? ["there is no expression in it"] : [];
  return judged(
    [...none, ...found.flatMap(({ problems }) => problems)],
    `${expressions.length} expressions`,
    found.flatMap(({ answers }) => answers),
  );
}

interface Answer {
  readonly problems: readonly string[];
  readonly answers: readonly string[];
}

async function answerOf(
  server: PrometheusServer,
  { where, text }: Expression,
  alert: boolean,
): Promise<Answer> {
  const problems: string[] = [];
  for (const name of metricsIn(text)) {
    const points = await server.query(`last_over_time(${name}{job=~"complete|sidecar"}[1m])`);
    if (points.length === 0) problems.push(`${where}: there is no metric ${name}`);
  }
  try {
    const points = await server.query(filledIn(text));
    // An alert that does not fire answers nothing; 0 divided by 0 is not worth more.
    if (!alert && !points.some(({ value }) => Number.isFinite(value))) {
      problems.push(`${where}: no value: ${text}`);
    }
    return { problems, answers: points.map((point) => `${where}: ${shown(point)}`) };
  } catch (error) {
    problems.push(`${where}: ${error instanceof Error ? error.message : String(error)}: ${text}`);
    return { problems, answers: [] };
  }
}

/** Labels and value, as a legend would have them. */
function shown({ metric, value }: Point): string {
  return `${Object.values(metric).join(" ")} = ${Number(value.toPrecision(5))}`;
}
