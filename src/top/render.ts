/** What `top` shows: a screen, a line for a pipe, or JSON. Pure. */
import type { KernelStatus } from "../model/status.js";
import { type ComponentRow, type Row, type TotalRow, type View, INTERVALS_KEPT } from "./history.js";
import {
  clockTime,
  count,
  type Line,
  milliseconds,
  percent,
  span,
  sparkline,
  type Style,
  toText,
} from "./text.js";

export interface Frame {
  readonly view: View;
  readonly kernel: KernelStatus;
  /** The newest warning, if there was one. */
  readonly notice: string | undefined;
}

export interface Page {
  readonly columns: number;
  /** Lines beyond are left out, components first; undefined where there is no end. */
  readonly rows: number | undefined;
  readonly colours: boolean;
}

/** Below these a hit rate, in percent, is no longer good, or bad. */
const GOOD_FROM = 95;
const FAIR_FROM = 80;

const TREND_WIDTH = 12;
const LABEL_WIDTH = 10;

/** The whole screen, one string for each line. */
export function renderScreen(frame: Frame, { columns, rows, colours }: Page): string[] {
  const { view } = frame;
  const lines = [
    ...headLines(frame),
    [],
    ...view.totals.flatMap(totalLines),
    ...latencyLines(view),
    ...hintLines(view),
    ...pressureLines(view),
    [],
    ...componentLines(view),
  ];
  return lines.slice(0, rows).map((line) => toText(line, columns, colours));
}

function headLines({ view, kernel: { tier, targets, eventsMissed }, notice }: Frame): Line[] {
  const seconds = (view.intervalMs / 1000).toFixed(1);
  const lines: Line[] = [
    [
      span(`${clockTime(view.timestampMs)} UTC`, "heading"),
      span(`   tier ${tier}   pages in the last ${seconds} s   q quits`),
    ],
  ];
  if (targets.length === 0) lines.push([span("no target process runs", "fair")]);
  const several = new Set(targets.map(({ nodeId }) => nodeId)).size > 1;
  for (const { pid, command, nodeId } of targets) {
    const whose = several ? `   node_id ${nodeId}` : "";
    lines.push([span(label("target")), span(`pid ${pid} ${command}${whose}`)]);
  }
  if (eventsMissed > 0) lines.push([span(`${eventsMissed} kernel events could not be counted`, "bad")]);
  if (notice !== undefined) lines.push([span(notice, "fair")]);
  return lines;
}

const label = (text: string) => text.padEnd(LABEL_WIDTH);

function totalLines({ nodeId, fields: total, hitRates }: TotalRow): Line[] {
  const parts = (names: readonly (readonly [text: string, field: string])[]) =>
    names.map(([text, field]) => `${text} ${count(total[field])}`).join("   ");
  const rate = total["hit_rate_percent"];
  return [
    ...(nodeId === undefined ? [] : [[span(nodeId, "heading")]]),
    [
      span(label("hit rate"), "heading"),
      span(`${percent(rate).padStart(5)} %  `, styleOf(rate)),
      span(`${sparkline(hitRates, INTERVALS_KEPT)}  `, styleOf(rate)),
      span(
        parts([
          ["requested", "pages_requested"],
          ["missed", "pages_missed"],
        ]),
      ),
    ],
    [
      span(label("reads"), "heading"),
      span(
        parts([
          ["all", "reads"],
          ["waited for the disk", "reads_missed"],
        ]),
      ),
    ],
    [
      span(label("loaded"), "heading"),
      span(
        parts([
          ["readahead", "pages_readahead"],
          ["prefetch", "pages_prefetched"],
          ["faults", "pages_faulted"],
          ["writes", "pages_written"],
        ]),
      ),
    ],
    [
      span(label("evicted"), "heading"),
      span(
        parts([
          ["reclaim", "pages_evicted_reclaim"],
          ["hint", "pages_evicted_hint"],
          ["truncate", "pages_evicted_truncate"],
          ["other", "pages_evicted_other"],
        ]),
      ),
    ],
  ];
}

/** Whose numbers they are, where there are several targets. */
function whose({ tags }: Row): string {
  return tags["node_id"] === undefined ? "" : `${tags["node_id"]} `;
}

/** Nothing in the intervals in which no read is timed. */
function latencyLines({ measures }: View): Line[] {
  const rows = (measures["read_latency"] ?? []).filter(({ fields }) => fields["p50_us"] !== undefined);
  const texts = rows.map(
    (row) =>
      `${whose(row)}${row.tags["outcome"] ?? ""}: 50 % within ${milliseconds(row.fields["p50_us"], 3)}, ` +
      `99 % within ${milliseconds(row.fields["p99_us"], 3)}`,
  );
  return rows.length === 0 ? [] : labelled("latency", texts);
}

function hintLines({ measures }: View): Line[] {
  const rows = measures["fadvise"] ?? [];
  const texts = rows.map((row) => {
    const { tags, fields } = row;
    const advice = tags["advice"] ?? "";
    const effects =
      advice === "dontneed"
        ? `dropped ${count(fields["pages_affected"])}, missed again ${count(fields["pages_refaulted"])}`
        : `loaded ${count(fields["pages_affected"])}, used ${count(fields["pages_used"])}, ` +
          `late ${count(fields["pages_late"])}, wasted ${count(fields["pages_wasted"])}`;
    return `${whose(row)}${advice}: ${callsOf(row)}${effects}`;
  });
  return labelled("hints", texts);
}

/** Empty where calls cannot be seen. */
function callsOf({ fields: { calls, errors } }: Row): string {
  return calls === undefined ? "" : `calls ${calls}, failed ${count(errors)}, `;
}

function pressureLines({ measures }: View): Line[] {
  const rows = measures["memory_pressure"] ?? [];
  const texts = rows.map(
    (row) =>
      `${whose(row)}${row.tags["scope"] ?? ""}: at cgroup limit ${count(row.fields["memcg_reclaims"])}, ` +
      `direct ${count(row.fields["direct_reclaims"])}, stalled ${milliseconds(row.fields["reclaim_stall_us"])}, ` +
      `freed ${count(row.fields["pages_reclaimed"])} of ${count(row.fields["pages_scanned"])} pages`,
  );
  return labelled("pressure", texts);
}

/** One line for each text, the label on the first; a dash where there is none. */
function labelled(name: string, texts: readonly string[]): Line[] {
  const shown = texts.length === 0 ? ["-"] : texts;
  return shown.map((text, i) => [span(label(i === 0 ? name : ""), "heading"), span(text)]);
}

/** Columns of the table of components: heading, width, field. */
const COLUMNS = [
  ["reads", 9, "reads"],
  ["requested", 11, "pages_requested"],
  ["missed", 9, "pages_missed"],
  ["readahead", 11, "pages_readahead"],
  ["evicted", 9, "pages_evicted"],
] as const;
const RATE_WIDTH = 8;
const LATELY_WIDTH = 14;

function componentLines({ components, keptMs }: View): Line[] {
  const names = components.map(nameOf);
  const width = Math.max("component".length, ...names.map((name) => name.length)) + 2;
  const lately = `missed ${Math.round(keptMs / 1000)} s`.padStart(LATELY_WIDTH);
  const headings = COLUMNS.map(([heading, columns]) => heading.padStart(columns)).join("");
  const rate = `${"hit %".padStart(RATE_WIDTH)}  ${"trend".padEnd(TREND_WIDTH)}`;
  return [
    [span(`${"component".padEnd(width)}${lately}${rate}${headings}`, "heading")],
    ...components.map((component, i) => componentLine(component, (names[i] ?? "").padEnd(width))),
  ];
}

function nameOf({ tags }: ComponentRow): string {
  return Object.values(tags)
    .filter((tag) => tag !== "n/a")
    .join(" ");
}

function componentLine({ fields, hitRates, missedLately }: ComponentRow, name: string): Line {
  const rate = fields["hit_rate_percent"];
  return [
    span(name),
    span(String(missedLately).padStart(LATELY_WIDTH)),
    span(`${percent(rate).padStart(RATE_WIDTH)}  `, styleOf(rate)),
    span(sparkline(hitRates, TREND_WIDTH), styleOf(rate)),
    span(COLUMNS.map(([, columns, field]) => count(fields[field]).padStart(columns)).join("")),
  ];
}

function styleOf(rate: number | undefined): Style {
  if (rate === undefined) return "plain";
  if (rate >= GOOD_FROM) return "good";
  return rate >= FAIR_FROM ? "fair" : "bad";
}

/** Names and fields of the one line that a pipe gets for each interval. */
const LINE_FIELDS = [
  ["reads", "reads"],
  ["requested", "pages_requested"],
  ["missed", "pages_missed"],
  ["evicted_reclaim", "pages_evicted_reclaim"],
  ["evicted_hint", "pages_evicted_hint"],
  ["evicted_truncate", "pages_evicted_truncate"],
  ["evicted_other", "pages_evicted_other"],
] as const;

/** One interval in one line of NAME=VALUE; one for each target where there are several. */
export function renderLine({ view }: Frame): string {
  return view.totals.map((total) => targetLine(view, total)).join("\n");
}

function targetLine(view: View, { nodeId, fields: total }: TotalRow): string {
  const parts = LINE_FIELDS.map(([name, field]) => `${name}=${count(total[field])}`);
  const worst = view.components.find(
    ({ tags, missedLately }) => missedLately > 0 && (nodeId === undefined || tags["node_id"] === nodeId),
  );
  return [
    clockTime(view.timestampMs),
    ...(nodeId === undefined ? [] : [`node_id=${nodeId}`]),
    `hit_percent=${percent(total["hit_rate_percent"])}`,
    ...parts,
    `worst=${worst ? nameOf(worst).replace(/\s/g, "/") : "-"}`,
  ].join(" ");
}

/** One interval as a JSON value: rows by measure, named as in schema/, components by pages missed. */
export function renderJson({ view, kernel }: Frame): object {
  const byMissed = [...(view.measures["page_cache_component"] ?? [])].sort(
    (a, b) => (b.fields["pages_missed"] ?? 0) - (a.fields["pages_missed"] ?? 0),
  );
  return {
    time: new Date(view.timestampMs).toISOString(),
    interval_ms: view.intervalMs,
    tier: kernel.tier,
    events_missed: kernel.eventsMissed,
    targets: kernel.targets.map(({ pid, command, nodeId }) => ({ pid, command, node_id: nodeId })),
    measures: { ...view.measures, page_cache_component: byMissed },
  };
}
