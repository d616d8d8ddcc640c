/** Lines of styled text, cut to a width, with colours or without. Pure. */

export type Style = "plain" | "heading" | "good" | "fair" | "bad";

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

/** Select Graphic Rendition of ECMA-48: bold, and the colours that every terminal has. */
const CODES: Readonly<Record<Style, string>> = {
  plain: "",
  heading: "1",
  good: "32",
  fair: "33",
  bad: "31",
};

export const span = (text: string, style: Style = "plain"): Span => ({ text, style });

/** What a command line or the name of a directory could steer the terminal with. */
const CONTROL = /\p{Cc}/gu;

/** The line, cut to `width` columns; each character of ours takes one. */
export function toText(line: Line, width: number, colours: boolean): string {
  let left = width;
  let text = "";
  for (const part of line) {
    const characters = Array.from(part.text.replace(CONTROL, "?")).slice(0, left);
    const shown = characters.join("");
    left -= characters.length;
    const code = colours ? CODES[part.style] : "";
    text += code === "" || shown === "" ? shown : `\u001b[${code}m${shown}\u001b[0m`;
  }
  return text.trimEnd();
}

const BARS = "▁▂▃▄▅▆▇█";

/** One bar for each percentage, the last `width` of them; a blank where there is none. */
export function sparkline(percents: readonly (number | undefined)[], width: number): string {
  const bars = percents.slice(-width).map((percent) => {
    if (percent === undefined) return " ";
    return BARS[Math.min(BARS.length - 1, Math.floor((percent / 100) * BARS.length))] ?? " ";
  });
  return bars.join("").padStart(width);
}

/** A dash where the count is absent. */
export function count(value: number | undefined): string {
  return value === undefined ? "-" : String(value);
}

/** With one decimal. */
export function percent(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(1);
}

/** Microseconds as milliseconds. */
export function milliseconds(valueUs: number | undefined, decimals = 1): string {
  return valueUs === undefined ? "-" : `${(valueUs / 1000).toFixed(decimals)} ms`;
}

export const clockTime = (timestampMs: number) => new Date(timestampMs).toISOString().slice(11, 19);
