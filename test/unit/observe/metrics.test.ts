import { expect } from "chai";
import { readSchema } from "../../../src/config/schema-files.js";
import { type MeasureSpec, parseMeasure, type Schema } from "../../../src/model/measure.js";
import { makeSample, type Tick } from "../../../src/model/tick.js";
import { addToTotals, type Totals } from "../../../src/model/totals.js";
import { metricsPage } from "../../../src/observe/metrics.js";
import { HEALTHY, KERNEL } from "../../support/status.js";

/** What BanyanDB's FODC agent reads of a line, and what it takes for the labels (fodc/agent/internal/metrics/parse.go). */
const FODC_LINE = /^(\w+)(?:\{([^}]+)\})?\s+(.+)$/;
const FODC_LABEL = /(\w+)="([^"]+)"/g;

/** What gRPC takes as one message by default; the agent sends a page to FODC's proxy as one. */
const FODC_MESSAGE_BYTES = 4 << 20;
/** All that the kernel has ids for (COMPONENTS of bpf/page_cache.h). */
const COMPONENTS_MAX = 256;

const COUNTS = parseMeasure("hints.json", {
  measure: "hints",
  description: "d",
  tags: [{ name: "advice", description: "d" }],
  fields: [
    count("calls", "sum", "calls_total"),
    count("hits", "sum", "results_total", { result: "hit" }),
    count("misses", "sum", "results_total", { result: "miss" }),
    count("depth", "last", "depth"),
    {
      ...count("share", "sum", "share_percent"),
      type: "float",
      percent: { part: "hits", whole: ["hits", "misses"] },
      prometheus: {
        name: "share_percent",
        aliases: [
          { name: "share_ratio", description: "d", scale: 0.01 },
          { name: "share_after_willneed", description: "d", where: { advice: "willneed" } },
        ],
      },
    },
    {
      ...count("waited", "sum", "waited_seconds_total"),
      prometheus: { name: "waited_seconds_total", scale: 0.000001 },
    },
  ],
});

function count(name: string, merge: string, metric: string, labels: Record<string, string> = {}) {
  return {
    name,
    type: "int",
    unit: "u",
    merge,
    source: [name],
    prometheus: { name: metric, labels },
    description: `All ${name}`,
  };
}

function schemaOf(...measures: MeasureSpec[]): Schema {
  return { group: { description: "d", tagFamily: "default", identityTags: [] }, measures };
}

function tick(timestampMs: number, rows: Record<string, Record<string, number>>): Tick {
  const samples = Object.entries(rows).map(([advice, values]) =>
    makeSample(COUNTS, [advice], (name) => values[name]),
  );
  return { timestampMs, version: 1n, intervalMs: 10_000, samples };
}

function render(
  ticks: readonly Tick[],
  schema = schemaOf(COUNTS),
  status = HEALTHY,
  labels: Record<string, string> = {},
): string[] {
  const totals = ticks.reduce<Totals | undefined>(addToTotals, undefined);
  return metricsPage(schema, labels)({ status, totals }).split("\n");
}

const ID = 'node_id="host:17912",cluster="n/a"';

describe("/metrics", () => {
  it("adds up counters over all ticks and shows gauges and percentages of the last one", () => {
    const lines = render([
      tick(1, { willneed: { calls: 2, hits: 1, misses: 0, depth: 9 } }),
      tick(2, { willneed: { calls: 3, hits: 1, misses: 3, depth: 4 } }),
    ]);
    expect(lines).to.include.members([
      `calls_total{${ID},advice="willneed"} 5`,
      `results_total{${ID},advice="willneed",result="hit"} 2`,
      `results_total{${ID},advice="willneed",result="miss"} 3`,
      `depth{${ID},advice="willneed"} 4`,
      `share_percent{${ID},advice="willneed"} 25`,
    ]);
  });

  it("keeps the counters of a series that the last tick does not have, but no gauge of it", () => {
    const lines = render([
      tick(1, { willneed: { calls: 2, hits: 1, misses: 1, depth: 9 } }),
      tick(2, { dontneed: { calls: 1 } }),
    ]);
    expect(lines).to.include(`calls_total{${ID},advice="willneed"} 2`);
    expect(
      lines.filter((line) => line.startsWith("depth{") || line.startsWith("share_percent{")),
    ).to.deep.equal([]);
  });

  it("leaves out what is absent instead of showing 0", () => {
    const lines = render([tick(1, { willneed: { calls: 2 } })]);
    expect(lines.filter((line) => line.includes("results_total"))).to.deep.equal([]);
  });

  it("names help and type once for each metric, before all its samples together", () => {
    const schema = readSchema();
    const samples = schema.measures.map((measure) => makeSample(measure, [], () => 1));
    const page = render([{ timestampMs: 1, version: 1n, intervalMs: 10, samples }], schema);
    const heads = page.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2]);
    expect(new Set(heads).size).to.equal(heads.length);
    let current = "";
    for (const line of page.filter((text) => text !== "")) {
      if (line.startsWith("# ")) current = line.split(" ")[2] ?? "";
      else expect(line.split("{")[0]?.replace(/_(bucket|sum|count)$/, "")).to.equal(current);
    }
  });

  it("makes a counter of what is summed and a gauge of the rest, and has help for both", () => {
    const lines = render([tick(1, { willneed: { calls: 1, hits: 1, misses: 1, depth: 1 } })]);
    expect(lines).to.include.members([
      "# HELP calls_total All calls",
      "# TYPE calls_total counter",
      "# HELP results_total hit: All hits; miss: All misses",
      "# TYPE depth gauge",
      "# TYPE share_percent gauge",
    ]);
  });

  it("shows a field under its other names, scaled, and only for the series that such a name is about", () => {
    const both = { hits: 1, misses: 2 };
    const lines = render([tick(1, { willneed: both, dontneed: both })]);
    expect(lines.filter((line) => line.startsWith("share_"))).to.deep.equal([
      `share_percent{${ID},advice="willneed"} 33.333`,
      `share_percent{${ID},advice="dontneed"} 33.333`,
      `share_ratio{${ID},advice="willneed"} 0.33333`,
      `share_ratio{${ID},advice="dontneed"} 0.33333`,
      `share_after_willneed{${ID},advice="willneed"} 33.333`,
    ]);
  });

  it("shows a histogram with cumulative buckets, the last one without bound, its sum and its count", () => {
    const measure = parseMeasure("waits.json", {
      measure: "waits",
      description: "d",
      tags: [],
      histogram: {
        bounds: [1, 2, 4],
        prometheus: { name: "wait_seconds", description: "How long", scale: 0.001, sum: "sum_ms" },
      },
      fields: [{ ...count("waits", "sum", "waits_total"), source: ["histogram"] }],
    });
    const counts: Readonly<Record<string, number>> = { le_1: 2, le_2: 0, le_4: 5, sum_ms: 1500 };
    const sample = makeSample(measure, [], (name) => counts[name]);
    const ticks = [1, 2].map((at) => ({ timestampMs: at, version: 1n, intervalMs: 10, samples: [sample] }));
    const lines = render(ticks, schemaOf(measure)).filter((line) => line.includes("wait_seconds"));
    expect(lines).to.deep.equal([
      "# HELP wait_seconds How long",
      "# TYPE wait_seconds histogram",
      `wait_seconds_bucket{${ID},le="0.001"} 4`,
      `wait_seconds_bucket{${ID},le="0.002"} 4`,
      `wait_seconds_bucket{${ID},le="+Inf"} 14`,
      `wait_seconds_sum{${ID}} 3`,
      `wait_seconds_count{${ID}} 14`,
    ]);
  });

  it("shows a time in the unit of its name", () => {
    expect(render([tick(1, { normal: { waited: 1_234_567 } })])).to.include(
      `waited_seconds_total{${ID},advice="normal"} 1.234567`,
    );
  });

  it("loses no unit of a counter beyond 2^53", () => {
    const most = Number.MAX_SAFE_INTEGER;
    const lines = render([
      tick(1, { a: { calls: most } }),
      tick(2, { a: { calls: most } }),
      tick(3, { a: { calls: 3 } }),
    ]);
    expect(lines).to.include(`calls_total{${ID},advice="a"} ${2n * BigInt(most) + 3n}`);
  });

  it("puts the configured labels on every sample, over the identity but not over what tells series apart", () => {
    const labels = { cluster: "prod", pod_name: "banyandb-0", advice: "mine" };
    const lines = render([tick(1, { willneed: { calls: 1 } })], undefined, undefined, labels);
    const id = 'node_id="host:17912",cluster="prod",pod_name="banyandb-0"';
    expect(lines).to.include(`calls_total{${id},advice="willneed"} 1`);
    const samples = lines.filter((line) => line !== "" && !line.startsWith("#"));
    expect(samples.filter((line) => !line.includes(id))).to.deep.equal([]);
  });

  it("can be read by BanyanDB's FODC agent, all labels of all lines", () => {
    const schema = readSchema();
    const samples = schema.measures.map((measure) => {
      const tags = measure.tags.map(() => "sw_metricsMinute-1.a b");
      return makeSample(measure, tags, () => 1);
    });
    const lines = render([{ timestampMs: 1, version: 1n, intervalMs: 10, samples }], schema);
    for (const line of lines.filter((text) => text !== "" && !text.startsWith("#"))) {
      const [, name, labels = "", value] = FODC_LINE.exec(line) ?? [];
      expect(Number.isFinite(Number(value)), line).to.equal(true);
      const read = [...labels.matchAll(FODC_LABEL)].map(([, key = "", text = ""]) => `${key}="${text}"`);
      expect(`${name ?? ""}{${read.join(",")}} ${value ?? ""}`).to.equal(line);
    }
  });

  it("fits into a message of FODC with all components that there can be, and has names of its own only", () => {
    const schema = readSchema();
    const samples = schema.measures.flatMap((measure) =>
      Array.from({ length: measure.name === "page_cache_component" ? COMPONENTS_MAX : 8 }, (_, row) => {
        const tags = measure.tags.map(({ name }) => `${name}-of-a-group-with-a-long-name-${row}`);
        return makeSample(measure, tags, () => Number.MAX_SAFE_INTEGER);
      }),
    );
    const lines = render([{ timestampMs: 1, version: 1n, intervalMs: 10, samples }], schema);
    expect(Buffer.byteLength(lines.join("\n"))).to.be.lessThan(FODC_MESSAGE_BYTES);
    const described = lines.filter((line) => line.startsWith("# HELP ")).map((line) => line.split(" ")[2]);
    const typed = lines.filter((line) => line.startsWith("# TYPE ")).map((line) => line.split(" ")[2]);
    expect(typed).to.deep.equal(described);
    // Its profiler takes process_resident_memory_bytes of anybody for BanyanDB's.
    expect(typed.filter((name) => !/^ebpf_\w+$/.test(name ?? ""))).to.deep.equal([]);
    const names = lines
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split("{")[0] ?? "");
    expect(
      names.filter(
        (name) => !typed.includes(name.replace(/_(bucket|sum|count)$/, "")) && !typed.includes(name),
      ),
    ).to.deep.equal([]);
  });

  it("escapes the values of labels", () => {
    const lines = render([tick(1, { 'a"b\\c\nd': { calls: 1 } })]);
    expect(lines).to.include(`calls_total{${ID},advice="a\\"b\\\\c\\nd"} 1`);
  });

  it("gives every field of the schema that has a Prometheus name", () => {
    const schema = readSchema();
    const samples = schema.measures.map((measure) =>
      makeSample(
        measure,
        measure.tags.map(() => "x"),
        () => 1,
      ),
    );
    const page = render([{ timestampMs: 1, version: 1n, intervalMs: 10, samples }], schema).join("\n");
    for (const { fields } of schema.measures) {
      for (const { prometheus } of fields) if (prometheus) expect(page).to.contain(`\n${prometheus.name}{`);
    }
  });

  it("names in schema/ only tags that the measure has, where another name is about some series only", () => {
    for (const { name, tags, fields } of readSchema().measures) {
      const named = fields.flatMap(
        ({ prometheus }) => prometheus?.aliases.flatMap(({ where }) => Object.keys(where)) ?? [],
      );
      expect(
        tags.map((tag) => tag.name),
        name,
      ).to.include.members(named);
    }
  });

  it("tells the sidecar's own state", () => {
    const kernel = {
      ...KERNEL,
      probes: [
        { name: "on_add", hook: "tp_btf/add", attached: false, cause: "refused", reason: "EPERM" },
        { name: "on_exit", hook: "tp_btf/exit", attached: true },
      ],
    } as const;
    expect(render([], schemaOf(), { ...HEALTHY, kernel })).to.include.members([
      `ebpf_sidecar_build_info{${ID},version="1.2.3",tier="tracing"} 1`,
      `ebpf_sidecar_probe_attached{${ID},probe="on_add",hook="tp_btf/add"} 0`,
      `ebpf_sidecar_probe_detached{${ID},probe="on_add",reason="refused"} 1`,
      ...["absent", "not_asked", "paused"].map(
        (reason) => `ebpf_sidecar_probe_detached{${ID},probe="on_add",reason="${reason}"} 0`,
      ),
      ...["absent", "refused", "not_asked", "paused"].map(
        (reason) => `ebpf_sidecar_probe_detached{${ID},probe="on_exit",reason="${reason}"} 0`,
      ),
      `ebpf_sidecar_target_processes{${ID}} 1`,
      `ebpf_sidecar_points_queued{${ID}} 2`,
      `ebpf_sidecar_points_resent_total{${ID}} 4`,
      `ebpf_sidecar_queue_capacity_bytes{${ID}} 33554432`,
      `ebpf_sidecar_queue_oldest_age_seconds{${ID}} 1.5`,
      `ebpf_sidecar_last_written_timestamp_seconds{${ID}} 1799999990`,
      `ebpf_sidecar_backend_up{${ID}} 1`,
      `ebpf_sidecar_backoff_seconds{${ID}} 0`,
      `ebpf_sidecar_bytes_written_total{${ID}} 4096`,
      `ebpf_sidecar_rejections_total{${ID},reason="too_large"} 0`,
      `ebpf_sidecar_drops_total{${ID},reason="overflow"} 0`,
      `ebpf_sidecar_reconnects_total{${ID},cause="lost"} 1`,
      `ebpf_sidecar_reconnects_total{${ID},cause="recycle"} 0`,
      `ebpf_sidecar_write_streams_total{${ID},code="UNAVAILABLE"} 0`,
      `ebpf_sidecar_write_duration_seconds_bucket{${ID},le="0.1"} 7`,
      `ebpf_sidecar_write_duration_seconds_bucket{${ID},le="1"} 8`,
      `ebpf_sidecar_write_duration_seconds_bucket{${ID},le="+Inf"} 9`,
      `ebpf_sidecar_write_duration_seconds_sum{${ID}} 2.5`,
      `ebpf_sidecar_write_duration_seconds_count{${ID}} 9`,
      `ebpf_sidecar_batch_points_bucket{${ID},le="2"} 9`,
      `ebpf_sidecar_clock_state{${ID},state="sane"} 1`,
      `ebpf_sidecar_clock_state{${ID},state="held"} 0`,
      `ebpf_sidecar_schema_state{${ID},state="ready"} 1`,
      `ebpf_sidecar_schema_state{${ID},state="conflict"} 0`,
    ]);
  });

  it("says nothing of delivery in a dry run", () => {
    const lines = render([], schemaOf(), { ...HEALTHY, delivery: undefined });
    expect(lines.filter((line) => /queue|points|backend|schema|clock|reconnect/.test(line))).to.deep.equal(
      [],
    );
  });
});
