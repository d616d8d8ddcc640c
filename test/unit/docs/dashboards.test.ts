import { readFileSync } from "node:fs";
import { expect } from "chai";
import { parse } from "yaml";
import { knownMetrics } from "../../support/known-metrics.js";
import { packageRoot } from "../../support/package-root.js";

const BOARD = "configs/grafana/page-cache.json";
const ALERTS = "configs/prometheus/alerts.yaml";
const TESTS = "configs/prometheus/alerts.test.yaml";
const RUNBOOKS = "docs/RUNBOOKS.md";
const GUIDE = "docs/OPERATIONS.md";

const read = (path: string) => readFileSync(`${packageRoot}/${path}`, "utf8");

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const board = JSON.parse(read(BOARD)) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const rules = (parse(read(ALERTS)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const panels = board.panels.filter(({ type }) => type !== "row");

const KNOWN = knownMetrics();
/** What Prometheus itself gives, and what nothing gives that BanyanDB's own labels lack. */
const FOREIGN = new Set(["up", "job"]);

/** What an expression names that does not exist: metrics, labels of them, labels to group by. */
function unknownIn(text: string): string[] {
  const selectors = [...text.matchAll(/\b([a-z_]+)(\{[^}]*\}|(?=\[)|(?=[ )]*(?:[>=+\-/)]|$)))/g)];
  const named = selectors.flatMap(([, name = "", braces = ""]) => {
    if (FOREIGN.has(name) || !name.startsWith("ebpf_")) return [];
    const labels = KNOWN.get(name);
    if (!labels) return [name];
    const used = [...braces.matchAll(/(\w+)\s*(?:=~|!=|!~|=)\s*"/g)].map(([, label = ""]) => label);
    return used.filter((label) => !labels.has(label)).map((label) => `${name}{${label}}`);
  });
  const own = new Set(selectors.flatMap(([, name = ""]) => [...(KNOWN.get(name) ?? [])]));
  const groups = [...text.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/));
  const metrics = text.match(/\bebpf_\w+/g) ?? [];
  return [
    ...named,
    ...metrics.filter((name) => !KNOWN.has(name)),
    ...groups.filter((label) => !own.has(label)).map((label) => `by ${label}`),
  ];
}

describe("what names metrics", () => {
  it("would notice a metric, a label and a group that do not exist", () => {
    const found = (text: string) => [...new Set(unknownIn(text))];
    expect(found("sum by (node_id) (rate(ebpf_cache_reads_total[5m]))")).to.deep.equal([]);
    expect(found("rate(ebpf_cache_writes_total[5m])")).to.deep.equal(["ebpf_cache_writes_total"]);
    expect(found('ebpf_cache_reads_total{advice="x"} > 1')).to.deep.equal(["ebpf_cache_reads_total{advice}"]);
    expect(found("sum by (host) (ebpf_cache_reads_total)")).to.deep.equal(["by host"]);
  });

  for (const { title, targets = [] } of panels) {
    it(`panel "${title}" names only what exists`, () => {
      expect(targets.length).to.be.greaterThan(0);
      for (const { expr, legendFormat } of targets) {
        expect(unknownIn(expr), expr).to.deep.equal([]);
        const grouped = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(/,\s*/) ?? [];
        const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
        expect(shown.filter((label) => !grouped.includes(label))).to.deep.equal([]);
      }
    });
  }

  for (const { alert, expr } of rules) {
    it(`alert ${alert} names only what exists`, () => {
      expect(unknownIn(expr)).to.deep.equal([]);
    });
  }

  it("are the variables of the board too", () => {
    const definitions = board.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(definitions.length).to.equal(2);
    for (const definition of definitions) {
      for (const name of definition.match(/\bebpf_\w+/g) ?? []) expect(KNOWN.has(name), name).to.equal(true);
    }
  });
});

describe(BOARD, () => {
  it("answers one question with each panel, and says how to read it", () => {
    for (const { title, description = "" } of panels) {
      expect(title).to.match(/\?$/);
      expect(description.length, title).to.be.greaterThan(20);
    }
  });

  it("gives no two panels one place", () => {
    const places = (board.panels as unknown as { gridPos: { x: number; y: number } }[]).map(
      ({ gridPos: { x, y } }) => `${x} ${y}`,
    );
    expect(new Set(places).size).to.equal(places.length);
  });
});

describe(ALERTS, () => {
  it("has the five situations that cost most, each with a unit test and a paragraph of the runbooks", () => {
    expect(rules).to.have.length(5);
    const headings = [...read(RUNBOOKS).matchAll(/^## (\w+)$/gm)].map(([, heading = ""]) => heading);
    for (const { alert, annotations } of rules) {
      expect(headings).to.include(alert);
      expect(annotations["runbook_url"]).to.equal(`${RUNBOOKS}#${alert.toLowerCase()}`);
      expect(read(TESTS)).to.match(new RegExp(`name: ${alert} fires`));
    }
  });

  it("are explained in a paragraph each of the guide for operators, and no other is", () => {
    const paragraphs = [...read(GUIDE).matchAll(/^- \[(BanyanDB\w+)\]\(RUNBOOKS\.md#(\w+)\): (.+)$/gm)];
    expect(paragraphs.map(([, alert]) => alert)).to.have.members(rules.map(({ alert }) => alert));
    for (const [, alert = "", anchor, text = ""] of paragraphs) {
      expect(anchor).to.equal(alert.toLowerCase());
      expect(text.length, alert).to.be.greaterThan(80);
    }
  });
});
