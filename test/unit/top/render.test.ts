import { expect } from "chai";
import type { KernelStatus } from "../../../src/model/status.js";
import type { Sample } from "../../../src/model/tick.js";
import { createHistory, INTERVALS_KEPT, type View } from "../../../src/top/history.js";
import { type Page, renderJson, renderLine, renderScreen } from "../../../src/top/render.js";
import { sampleOf, SCHEMA, tickOf } from "../../support/schema-ticks.js";

const START_MS = Date.parse("2026-11-24T10:00:00Z");
const KERNEL: KernelStatus = {
  tier: "tracing",
  probes: [],
  eventsMissed: 0,
  targets: [{ pid: 17, tgid: 17, command: "/usr/bin/banyand standalone", nodeId: "a" }],
  refused: [],
  ownCost: { reason: "" },
};
const PAGE: Page = { columns: 200, rows: undefined, colours: false };

const reads = (hit: number, missed: number) => ({
  reads: hit + missed,
  reads_hit: hit,
  reads_missed: missed,
  pages_requested: hit + missed,
  pages_hit: hit,
  pages_missed: missed,
});
const component = (name: readonly string[], hit: number, missed: number) =>
  sampleOf("page_cache_component", name, reads(hit, missed), 0);
const TRACE = ["trace", "sw_trace", "data"];
const INDEX = ["measure", "sw_minute", "index"];

/** The view after intervals of these samples. */
function viewOf(...intervals: readonly (readonly Sample[])[]): View {
  const history = createHistory(SCHEMA);
  const views = intervals.map((samples, i) => history.add(tickOf(START_MS + i * 1000, samples)));
  const last = views.at(-1);
  if (!last) throw new Error("no interval");
  return last;
}

const screenOf = (view: View, page = PAGE, notice?: string) =>
  renderScreen({ view, kernel: KERNEL, notice }, page);
const total = sampleOf("page_cache", [], { ...reads(90, 10), pages_evicted_hint: 7 }, 0);

describe("the screen of top", () => {
  it("shows the target, the totals and the evictions by cause", () => {
    const text = screenOf(viewOf([total])).join("\n");
    expect(text).to.match(/^10:00:00 UTC {3}tier tracing/);
    expect(text).to.contain("pid 17 /usr/bin/banyand standalone");
    expect(text).to.match(/hit rate +90\.0 % +█ +requested 100 +missed 10$/m);
    expect(text).to.contain("reclaim 0   hint 7   truncate 0   other 0");
  });

  it("sorts components by the pages that they missed in all intervals kept", () => {
    const view = viewOf([component(INDEX, 0, 50)], [component(INDEX, 10, 0), component(TRACE, 0, 20)]);
    const rows = screenOf(view).filter((line) => /^(trace|measure) /.test(line));
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 3))).to.deep.equal([
      ["measure sw_minute index", "50", "100.0"],
      ["trace sw_trace data", "20", "0.0"],
    ]);
    expect(rows[0]).to.contain("▁█");
  });

  it("keeps a component that rests, with dashes for what it does not do", () => {
    const view = viewOf([component(TRACE, 1, 1)], []);
    expect(screenOf(view).at(-1)).to.match(/^trace sw_trace data +1 +- +▅ +- +- +- +- +-$/);
  });

  it("forgets a component after as many intervals as a sparkline has", () => {
    const rest = Array.from({ length: INTERVALS_KEPT }, () => [total]);
    expect(viewOf([component(TRACE, 1, 1)], ...rest).components).to.deep.equal([]);
  });

  it("shows what hints did and who had to free memory", () => {
    const view = viewOf([
      sampleOf("fadvise", ["dontneed"], { pages_affected: 8, pages_refaulted: 3 }, 0),
      sampleOf(
        "fadvise",
        ["willneed"],
        { pages_affected: 9, pages_used: 4, pages_late: 2, pages_wasted: 1 },
        0,
      ),
      sampleOf("memory_pressure", ["target"], { memcg_reclaims: 5, reclaim_stall_us: 2500 }, 0),
    ]);
    const text = screenOf(view).join("\n");
    expect(text).to.match(/dontneed: .*dropped 8, missed again 3/);
    expect(text).to.match(/willneed: .*loaded 9, used 4, late 2, wasted 1/);
    expect(text).to.contain("target: at cgroup limit 5, direct 0, stalled 2.5 ms, freed 0 of 0 pages");
  });

  it("shows how long reads took, and how often hints were given, where that is known", () => {
    const view = viewOf([
      sampleOf("read_latency", ["hit"], { le_2: 99, le_4096: 1 }, 0),
      sampleOf("read_latency", ["missed"], {}, 0),
      sampleOf("fadvise", ["dontneed"], { calls: 6, errors: 2, pages_affected: 8 }, 0),
    ]);
    const text = screenOf(view).join("\n");
    expect(text).to.match(/^latency +hit: 50 % within 0\.002 ms, 99 % within 0\.002 ms$/m);
    expect(text).to.not.contain("missed:");
    expect(text).to.contain("dontneed: calls 6, failed 2, dropped 8");
    expect(screenOf(viewOf([total])).join("\n")).to.not.contain("latency");
  });

  it("shows a dash, not 0, for what the tier does not count", () => {
    const view = viewOf([sampleOf("page_cache", [], { pages_evicted_truncate: 4 })]);
    expect(screenOf(view).join("\n")).to.contain("reclaim -   hint -   truncate 4   other -");
  });

  it("fits the terminal, and is coloured only when told", () => {
    const view = viewOf([total, component(TRACE, 0, 20), component(INDEX, 0, 50)]);
    const small = screenOf(view, { columns: 40, rows: 6, colours: false });
    expect(small).to.have.length(6);
    for (const line of small) expect(line.length).to.be.at.most(40);
    expect(small.join("")).to.not.contain("\u001b");
    expect(screenOf(view, { ...PAGE, colours: true }).join("")).to.contain("\u001b[31m");
  });

  it("says that no target runs, that events were missed, and the newest warning", () => {
    const view = viewOf([]);
    const kernel = { ...KERNEL, targets: [], eventsMissed: 3 };
    const text = renderScreen({ view, kernel, notice: "a file cannot be read" }, PAGE).join("\n");
    expect(text).to.contain("no target process runs");
    expect(text).to.contain("3 kernel events could not be counted");
    expect(text).to.contain("a file cannot be read");
  });
});

describe("top of several targets", () => {
  const about = (sample: Sample, nodeId: string): Sample => ({
    ...sample,
    identity: [nodeId, "c", "r", "t"],
  });
  const view = viewOf([
    about(total, "a"),
    about(component(TRACE, 0, 20), "a"),
    about(sampleOf("page_cache", [], reads(1, 3), 0), "b"),
    about(component(TRACE, 1, 3), "b"),
  ]);

  it("shows the totals of each, and whose a component is", () => {
    const text = screenOf(view).join("\n");
    expect(text).to.match(/^a\nhit rate +90\.0 %/m);
    expect(text).to.match(/^b\nhit rate +25\.0 %/m);
    expect(text).to.match(/^a trace sw_trace data +20 /m);
    expect(text).to.match(/^b trace sw_trace data +3 /m);
  });

  it("prints a line for each", () => {
    const lines = renderLine({ view, kernel: KERNEL, notice: undefined }).split("\n");
    expect(lines.map((line) => line.split(" ").slice(1, 3))).to.deep.equal([
      ["node_id=a", "hit_percent=90.0"],
      ["node_id=b", "hit_percent=25.0"],
    ]);
  });

  it("tells in JSON whose rows are", () => {
    const json = renderJson({ view, kernel: KERNEL, notice: undefined }) as {
      measures: Record<string, { tags: Record<string, string> }[]>;
    };
    expect(json.measures["page_cache"]?.map(({ tags }) => tags["node_id"])).to.deep.equal(["a", "b"]);
  });
});

describe("top without a terminal", () => {
  it("prints one line of names and values for an interval", () => {
    const view = viewOf([total, component(TRACE, 0, 20)]);
    expect(renderLine({ view, kernel: KERNEL, notice: undefined })).to.equal(
      "10:00:00 hit_percent=90.0 reads=100 requested=100 missed=10 evicted_reclaim=0 evicted_hint=7 " +
        "evicted_truncate=0 evicted_other=0 worst=trace/sw_trace/data",
    );
  });

  it("gives JSON the names of schema/, every measure, and the component first that missed most", () => {
    const view = viewOf([total, component(INDEX, 5, 1), component(TRACE, 0, 20)]);
    const json = renderJson({ view, kernel: KERNEL, notice: undefined }) as {
      measures: Record<string, { tags: object; fields: Record<string, number> }[]>;
    };
    expect(Object.keys(json.measures).sort()).to.deep.equal(SCHEMA.measures.map(({ name }) => name).sort());
    expect(json.measures["page_cache"]?.[0]?.fields["hit_rate_percent"]).to.equal(90);
    expect(json.measures["page_cache_component"]?.map(({ tags }) => tags)).to.deep.equal([
      { catalog: "trace", db_group: "sw_trace", file_kind: "data" },
      { catalog: "measure", db_group: "sw_minute", file_kind: "index" },
    ]);
  });
});
