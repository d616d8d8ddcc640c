/** The MAL rules of configs/skywalking/ on SkyWalking's own analyzer, beside what they must give. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { packageRoot } from "../support/package-root.js";
import { startCompleteExporter } from "./complete-exporter.js";
import { samplesIn } from "./exposition.js";
import { expectedOf, type Rule, ruleFileOf, type Scrape, storedValue } from "./mal.js";
import { lastLines, run, sleep } from "./process.js";
import { type Fetching, malAnalyzer } from "./tools.js";
import { type Check, judged, notRun, type Verdict } from "./verdict.js";

export const MAL_FILES = [
  "configs/skywalking/banyandb-ebpf-instance.yaml",
  "configs/skywalking/banyandb-ebpf-endpoint.yaml",
  "configs/skywalking/10.x/banyandb-ebpf-instance.yaml",
] as const;

/** What the collector's configuration adds. */
export const COLLECTOR_LABELS = {
  cluster: "banyandb",
  container_name: "standalone",
  pod_name: "banyandb-0",
  node_role: "standalone",
  node_type: "n/a",
  host_name: "banyandb",
  service_instance_id: "banyandb-0",
  job_name: "banyandb-monitoring",
} as const;

const BETWEEN_SEC = 60;
const TICK_MS = 1000;
/** Of a double that went through text. */
const TOLERANCE = 1e-9;

export function malChecks(fetching: Fetching): Check[] {
  return MAL_FILES.map((file) => ({
    artefact: file,
    checker: "MAL analyzer of OAP 10.1.0",
    slow: false,
    run: () => checkFile(file, fetching),
  }));
}

export function rulesOf(file: string): readonly Rule[] {
  return ruleFileOf(parse(readFileSync(join(packageRoot, file), "utf8"))).rules;
}

interface Line {
  readonly name: string;
  readonly problem?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value?: number;
  readonly service?: string;
  readonly instance?: string;
  readonly endpoint?: string;
}

async function checkFile(file: string, fetching: Fetching): Promise<Verdict> {
  const found = await malAnalyzer(fetching);
  if ("missing" in found) return notRun(found.missing);
  const folder = mkdtempSync(join(tmpdir(), "check-mal-"));
  try {
    const pages = await twoPages();
    const paths = pages.map((page, i) => {
      const path = join(folder, `${i}.txt`);
      writeFileSync(path, page);
      return path;
    });
    const source = join(packageRoot, "test/artifacts/skywalking/MalCheck.java");
    const args = ["-Dlog4j2.level=OFF", "-cp", join(found.path, "*"), source, ...paths];
    const result = await run("java", [...args, String(BETWEEN_SEC), join(packageRoot, file)], fetching);
    if (result.code !== 0) return judged(lastLines(result), "");
    const lines = result.stdout
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line);
    const scrapes = pages.map((page, i): Scrape => ({ atSec: i * BETWEEN_SEC, samples: samplesIn(page) }));
    return compared(rulesOf(file), lines, scrapes);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function twoPages(): Promise<string[]> {
  const exporter = await startCompleteExporter({ tickMs: TICK_MS, labels: COLLECTOR_LABELS });
  const first = exporter.page();
  await sleep(2.5 * TICK_MS);
  const second = exporter.page();
  await exporter.close();
  return [first, second];
}

function compared(
  rules: readonly Rule[],
  lines: readonly Line[],
  [first, second]: readonly Scrape[],
): Verdict {
  if (!first || !second) return judged(["there are no scrapes"], "");
  const problems = rules.flatMap((rule) => {
    const given = lines.filter(({ name }) => name === rule.name);
    const said = given.flatMap(({ problem }) => (problem === undefined ? [] : [`${rule.name}: ${problem}`]));
    if (said.length > 0) return said;
    const wanted = expectedOf(rule, first, second);
    const tiny = wanted.filter(({ value }) => value > 0 && value < 1);
    const found = wanted.filter(({ value }) =>
      given.some((line) => Math.abs((line.value ?? Number.NaN) - value) <= TOLERANCE * Math.abs(value)),
    );
    return [
      ...(found.length === wanted.length && given.length === wanted.length
        ? []
        : [`${rule.name}: gives ${shown(given)}, must give ${shown(wanted)}`]),
      ...tiny.map(({ value }) => `${rule.name}: ${value} would be stored as ${storedValue(value)}`),
    ];
  });
  const entities = new Set(
    lines.map(({ service, instance, endpoint }) => [service, instance, endpoint].join(" ")),
  );
  return judged(
    problems,
    `${rules.length} rules, ${lines.length} values equal, for ${[...entities].join(", ").replaceAll(" null", "")}`,
  );
}

function shown(values: readonly { readonly value?: number }[]): string {
  return values.map(({ value }) => String(value)).join(", ") || "nothing";
}
