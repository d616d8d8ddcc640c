import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { parse } from "yaml";
import { SETTING_KEYS } from "../../../src/config/schema.js";
import { readSchema } from "../../../src/config/schema-files.js";
import { addToTotals } from "../../../src/model/totals.js";
import { metricsPage } from "../../../src/observe/metrics.js";
import { completeSamples } from "../../artifacts/complete-exporter.js";
import { expressionsIn } from "../../artifacts/expressions.js";
import { samplesIn } from "../../artifacts/exposition.js";
import { metricsOfRule, ruleFileOf } from "../../artifacts/mal.js";
import { packageRoot } from "../../support/package-root.js";
import { HEALTHY } from "../../support/status.js";

const SCHEMA = readSchema();

/** Those that a scrape, or the collector's configuration, adds. */
const ADDED_LABELS = [
  "job",
  "instance",
  "host_name",
  "service_instance_id",
  "cluster",
  "pod_name",
  "container_name",
];
/** Other programs' names that look like metrics of ours. */
const NO_METRICS = ["ebpf_exporter"];

/** Labels by metric, with the values that do not depend on the host. */
function exposed(): ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>> {
  const tick = { timestampMs: 1, version: 1n, intervalMs: 1000, samples: completeSamples(SCHEMA) };
  const identity = Object.fromEntries(SCHEMA.group.identityTags.map(({ name }) => [name, "x"]));
  const input = { status: { ...HEALTHY, identity }, totals: addToTotals(undefined, tick) };
  const metrics = new Map<string, Map<string, Set<string>>>();
  for (const { name, labels } of samplesIn(metricsPage(SCHEMA)(input))) {
    const known = metrics.get(name) ?? new Map<string, Set<string>>();
    metrics.set(name, known);
    for (const [label, value] of Object.entries(labels)) {
      known.set(label, (known.get(label) ?? new Set()).add(value));
    }
  }
  return metrics;
}

const METRICS = exposed();
/** Of these labels every value is known here; those of others depend on the host. */
const CLOSED = ["result", "reason", "cause", "advice", "scope", "outcome", "state"];

function filesBelow(path: string): string[] {
  const full = join(packageRoot, path);
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full).flatMap((name) => filesBelow(join(path, name)));
}

const read = (path: string): string => readFileSync(join(packageRoot, path), "utf8");
const FILES = ["README.md", "CHANGELOG.md", "docs", "configs", "docker"]
  .flatMap(filesBelow)
  .filter((path) => /\.(md|ya?ml|json|service)$/.test(path));
const MAL_FILES = filesBelow("configs/skywalking").filter((path) => /banyandb-ebpf-\w+\.yaml$/.test(path));
const malRules = (path: string) => ruleFileOf(parse(read(path))).rules;

/** A histogram's own name stands for its three families; a name that ends so for all that begin with it. */
function isMetric(name: string): boolean {
  const names = [...METRICS.keys()];
  if (name.endsWith("_")) return names.some((known) => known.startsWith(name));
  return METRICS.has(name) || METRICS.has(`${name}_bucket`);
}

/** Problems of the labels of one selector, such as {result="missed",node_id=~"$node"}. */
function labelProblems(metric: string, selector: string): string[] {
  const known = METRICS.get(metric) ?? METRICS.get(`${metric}_bucket`);
  return [...selector.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].flatMap(
    ([, label = "", operator, value = ""]) => {
      if (ADDED_LABELS.includes(label)) return [];
      const values = known?.get(label);
      if (!values) return [`${metric} has no label ${label}`];
      if (!CLOSED.includes(label) || value.includes("$")) return [];
      const wanted = operator === "=~" || operator === "!~" ? value.split("|") : [value];
      return wanted
        .filter((one) => /^\w+$/.test(one) && !values.has(one))
        .map((one) => `${metric}: ${label} is never ${one}`);
    },
  );
}

describe("names of metrics", () => {
  for (const path of FILES) {
    it(`in ${path} all exist, with their labels`, () => {
      const text = read(path);
      const named = [...text.matchAll(/\bebpf_[a-z_]+/g)].map(([name]) => name);
      const unknown = named.filter((name) => !isMetric(name) && !NO_METRICS.includes(name));
      const labels = [...text.replaceAll('\\"', '"').matchAll(/\b(ebpf_\w+)\{([^}]*)\}/g)].flatMap(
        ([, metric = "", selector = ""]) => labelProblems(metric, selector),
      );
      expect([...new Set(unknown), ...labels]).to.deep.equal([]);
    });
  }

  it("stand in expressions that group by labels that exist", () => {
    const known = new Set([
      ...ADDED_LABELS,
      "le",
      ...[...METRICS.values()].flatMap((labels) => [...labels.keys()]),
    ]);
    for (const path of FILES.filter((file) => /^configs\/(grafana|prometheus)\//.test(file))) {
      for (const { where, text } of expressionsIn(path, parse(read(path)))) {
        const grouped = [
          ...text.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g),
        ];
        const names = grouped.flatMap(([, list = ""]) => list.split(",").map((name) => name.trim()));
        expect(
          names.filter((name) => name !== "" && !known.has(name)),
          where,
        ).to.deep.equal([]);
      }
    }
  });

  it("were looked for in enough places, so that the tests above compare something", () => {
    expect(MAL_FILES).to.have.length(3);
    expect(METRICS.size).to.be.greaterThan(80);
    expect(labelProblems("ebpf_cache_page_results_total", '{result="lost",catalog="x"}')).to.deep.equal([
      "ebpf_cache_page_results_total: result is never lost",
      "ebpf_cache_page_results_total has no label catalog",
    ]);
  });
});

/** What operators read; ARCHITECTURE and the decisions speak of the kernel's names too. */
const FOR_OPERATORS = ["README", "CHANGELOG", "METRICS", "OPERATIONS", "QUERIES", "RUNBOOKS", "SKYWALKING"];
/** Of the kernel, and of Kubernetes. */
const NO_NAMES_OF_OURS = ["no_new_privs", "read_ahead_kb"];

/** Of measures, tags, fields, settings, meters and labels. */
function knownNames(): ReadonlySet<string> {
  const { group, measures } = SCHEMA;
  const meters = MAL_FILES.flatMap(malRules).map(({ name }) => name);
  return new Set([
    ...group.identityTags.map(({ name }) => name),
    ...measures.flatMap(({ name, tags, fields }) => [name, ...[...tags, ...fields].map((each) => each.name)]),
    ...SETTING_KEYS.flatMap((key) => key.split(".")),
    ...meters,
    ...meters.map((name) => name.replace(/^meter_banyandb_\w+?_ebpf_/, "")),
    ...METRICS.keys(),
    ...ADDED_LABELS,
    ...NO_NAMES_OF_OURS,
  ]);
}

/** Names in backticks, of two words or more, that nothing of ours has. */
function unknownNames(text: string): string[] {
  const known = knownNames();
  const prose = text.replaceAll(/```[^]*?```/g, "");
  const named = [...prose.matchAll(/`([a-z][a-z0-9]*(?:_[a-z0-9]+)+)`/g)].map(([, name = ""]) => name);
  return named.filter((name) => !known.has(name) && !isMetric(name));
}

describe("names of measures, tags, fields, settings and meters", () => {
  for (const path of FILES.filter((file) => FOR_OPERATORS.some((name) => file.endsWith(`${name}.md`)))) {
    it(`in the sentences of ${path} all exist`, () => {
      expect(unknownNames(read(path))).to.deep.equal([]);
    });
  }

  it("would be noticed where they do not", () => {
    expect(unknownNames("`pages_missed` and `pages_lost` of `page_cache`, `max_bytes`")).to.deep.equal([
      "pages_lost",
    ]);
  });
});

describe("the MAL rules", () => {
  for (const path of MAL_FILES) {
    it(`of ${path} keep and filter only labels that exist`, () => {
      for (const rule of malRules(path)) {
        for (const metric of metricsOfRule(rule)) {
          const labels = [...ADDED_LABELS, ...(METRICS.get(metric)?.keys() ?? [])];
          const kept = [...rule.expression.matchAll(/\[([^\]]*)\]/g)].flatMap(([, list = ""]) =>
            [...list.matchAll(/'(\w+)'/g)].map((match) => match[1]),
          );
          expect(labels, rule.name).to.include.members(kept);
          const filters = [...rule.expression.matchAll(/tagEqual\('(\w+)','(\w+)'\)/g)];
          for (const [, label = "", value = ""] of filters) {
            expect([...(METRICS.get(metric)?.get(label) ?? [])], rule.name).to.include(value);
          }
        }
      }
    });
  }

  it("have each name once", () => {
    const ofEleven = MAL_FILES.filter((path) => !path.includes("10.x")).flatMap(malRules);
    expect(new Set(ofEleven.map(({ name }) => name)).size).to.equal(ofEleven.length);
  });

  it("make every meter that a page, or a document, names", () => {
    const meters = new Set(MAL_FILES.flatMap(malRules).map(({ name }) => name));
    const named = FILES.flatMap((path) =>
      [...read(path).matchAll(/\bmeter_banyandb_\w*ebpf_\w+/g)].map(([name]) => name),
    ).filter((name) => !name.endsWith("_ebpf"));
    expect(named.length).to.be.greaterThan(10);
    expect(named.filter((name) => !meters.has(name))).to.deep.equal([]);
  });
});
