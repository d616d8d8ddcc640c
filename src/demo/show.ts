/** The demo's output for people. Pure: returns text. */
import type { StoredRows } from "../banyandb/read-back.js";
import type { MeasureSpec } from "../model/measure.js";
import type { SidecarStatus } from "../model/status.js";
import { fieldValues, type Tick } from "../model/tick.js";
import type { DemoResult } from "./result.js";

/** Columns of the tables: heading and field of page_cache. */
const COLUMNS = [
  ["reads", "reads"],
  ["hit %", "hit_rate_percent"],
  ["requested", "pages_requested"],
  ["missed", "pages_missed"],
  ["readahead", "pages_readahead"],
  ["written", "pages_written"],
  ["by reclaim", "pages_evicted_reclaim"],
  ["by hint", "pages_evicted_hint"],
  ["by truncate", "pages_evicted_truncate"],
] as const;

const COLUMN_WIDTH = 12;
const ROWS_SHOWN = 8;

const cell = (text: string) => text.padStart(COLUMN_WIDTH);
const clockTime = (timestampMs: number) => new Date(timestampMs).toISOString().slice(11, 19);

/** Counts as they are; absent as a dash. */
function number(value: number | undefined): string {
  if (value === undefined) return "-";
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

export function liveHeader(): string {
  return `${"time".padEnd(8)}${COLUMNS.map(([heading]) => cell(heading)).join("")}${cell("delivered")}\n`;
}

/** One line of live numbers: what the newest tick added, in pages but for the reads. */
export function liveLine(tick: Tick, status: SidecarStatus): string {
  const sample = tick.samples.find(({ measure }) => measure.name === "page_cache");
  const values = sample ? fieldValues(sample, tick.intervalMs) : [];
  const cells = COLUMNS.map(([, field]) => {
    const index = sample?.measure.fields.findIndex(({ name }) => name === field) ?? -1;
    return cell(number(values[index]));
  });
  const { collected = 0, written = 0 } = status.delivery?.points ?? {};
  return `${clockTime(tick.timestampMs)}${cells.join("")}${cell(`${written}/${collected}`)}\n`;
}

/** The rows as the server returned them, and the comparison with the kernel. */
export function showResult(
  result: DemoResult,
  { rows }: StoredRows,
  measure: MeasureSpec,
  wrong: readonly string[],
): string {
  const version = result.sink.version === undefined ? "" : ` ${result.sink.version}`;
  const shown = rows.slice(-ROWS_SHOWN);
  const lines = [
    "",
    `As read back from the ${result.sink.kind === "embedded" ? "embedded " : ""}BanyanDB${version} at ${result.sink.address}:`,
    `the last ${shown.length} of ${rows.length} rows of measure ${measure.name}`,
    `${"time".padEnd(8)}${COLUMNS.map(([heading]) => cell(heading)).join("")}`,
    ...shown.map(({ timestampMs, fields }) => {
      const cells = COLUMNS.map(([, field]) => cell(number(fields[field])));
      return clockTime(timestampMs) + cells.join("");
    }),
    "",
    `${"field".padEnd(26)}${cell("kernel")}${cell("stored")}`,
    ...Object.entries(result.kernel).map(
      ([name, value]) => `${name.padEnd(26)}${cell(number(value))}${cell(number(result.stored[name]))}`,
    ),
    "",
    wrong.length === 0
      ? `Stored equals kernel in all ${Object.keys(result.kernel).length} counts.`
      : `Stored differs from kernel:\n  ${wrong.join("\n  ")}`,
    "",
  ];
  return lines.join("\n");
}
