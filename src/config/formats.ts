/**
 * What a written value means. Every value arrives as text, whether it was written in the file, the
 * environment or a flag, so that all three accept the same. Pure.
 */

export interface Format<T> {
  /** What is accepted, to follow "must be". */
  readonly allowed: string;
  /** Whether a YAML list may be written; its items arrive joined by commas. */
  readonly list?: true;
  /** The value that a text means, undefined where it means none. */
  parse(text: string): T | undefined;
  /** The text of a value, such that `parse` gives the value back. */
  show(value: T): string;
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** Parses `<number><unit>`; the unit is required unless the table has one named "". */
function quantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/.exec(text);
  const factor = units[match?.[2] ?? "none"];
  if (match === null || factor === undefined) return undefined;
  const value = Number(match[1]) * factor;
  return Number.isInteger(value) ? value : undefined;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function showDuration(ms: number): string {
  if (ms > 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function showSize(bytes: number): string {
  const unit = (["GiB", "MiB", "KiB"] as const).find((name) => bytes % (SIZE_UNITS_BYTES[name] ?? 1) === 0);
  return unit && bytes > 0 ? `${bytes / (SIZE_UNITS_BYTES[unit] ?? 1)}${unit}` : `${bytes}`;
}

/** A time, in milliseconds; a bare number is refused because nobody can tell its unit. */
export function duration(minMs: number, maxMs: number): Format<number> {
  return {
    allowed: `a duration from ${showDuration(minMs)} to ${showDuration(maxMs)} with its unit (ms, s, m or h)`,
    parse: (text) => within(quantity(text, DURATION_UNITS_MS), minMs, maxMs),
    show: showDuration,
  };
}

/** A size, in bytes. */
export function size(minBytes: number, maxBytes: number): Format<number> {
  return {
    allowed: `a size from ${showSize(minBytes)} to ${showSize(maxBytes)} (B, KiB, MiB, GiB; bytes without unit)`,
    parse: (text) => within(quantity(text, SIZE_UNITS_BYTES), minBytes, maxBytes),
    show: showSize,
  };
}

export function wholeNumber(min: number, max: number): Format<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    parse: (text) => (/^\d{1,15}$/.test(text) ? within(Number(text), min, max) : undefined),
    show: String,
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): Format<T> {
  return {
    allowed: `one of ${choices.join(", ")}`,
    parse: (text) => choices.find((choice) => choice === text),
    show: String,
  };
}

export const YES_OR_NO: Format<boolean> = {
  allowed: "true or false",
  parse: (text) => (text === "true" ? true : text === "false" ? false : undefined),
  show: String,
};

/** Longest text that is taken for the value of a tag; keeps rows and their index small. */
const TEXT_MAX = 256;

export const TEXT: Format<string> = {
  allowed: `1 to ${TEXT_MAX} characters, none of them a control character`,
  parse: (text) => (/^\P{Cc}+$/u.test(text) && text.length <= TEXT_MAX ? text : undefined),
  show: String,
};

/** gRPC takes nothing else as metadata; what it refuses it repeats in its error, which a secret must not be in. */
export const CREDENTIAL: Format<string> = {
  allowed: `1 to ${TEXT_MAX} printable ASCII characters`,
  parse: (text) => (/^[ -~]+$/.test(text) && text.length <= TEXT_MAX ? text : undefined),
  show: String,
};

/** Longest path of Linux: PATH_MAX of include/uapi/linux/limits.h (Linux 6.12). */
const PATH_MAX = 4096;

export const FILE_PATH: Format<string> = {
  allowed: "the path of a file",
  parse: (text) => (/^\P{Cc}+$/u.test(text) && text.length < PATH_MAX ? text : undefined),
  show: String,
};

export const FILE_NAME: Format<string> = {
  allowed: "the base name of an executable, without a slash",
  parse: (text) => (/^[^/\p{Cc}]{1,255}$/u.test(text) ? text : undefined),
  show: String,
};

export const CGROUP_PATH: Format<string> = {
  allowed:
    "the path of a cgroup below the root of its hierarchy, beginning with a slash; * is any part of a name",
  parse: (text) =>
    /^(\/[^/\p{Cc}]+)+$/u.test(text) && !/\/\.\.?(\/|$)/.test(text) && text.length < PATH_MAX
      ? text
      : undefined,
  show: String,
};

export const REGULAR_EXPRESSION: Format<string> = {
  allowed: "a regular expression as JavaScript understands it",
  parse: (text) => {
    try {
      new RegExp(text);
      return text === "" ? undefined : text;
    } catch {
      // Only the verdict is needed: the message of the engine repeats the pattern that the report shows anyway.
      return undefined;
    }
  },
  show: String,
};

/**
 * BanyanDB refuses groups that begin with `_` (its own) and reserves `sw_` for SkyWalking; BydbQL cannot
 * name one with `-` or `.` in it.
 */
export const GROUP_NAME: Format<string> = {
  allowed: "lower-case letters, digits and _, beginning with a letter and not with sw_",
  parse: (text) => (/^(?!sw_)[a-z][a-z0-9_]{0,62}$/.test(text) ? text : undefined),
  show: String,
};

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Splits host:port, where an IPv6 host stands in brackets; undefined where it is neither. */
function parseAddress(text: string, minPort: number): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  const port = within(match ? Number(match[3]) : undefined, minPort, 65_535);
  const host = match?.[1] ?? match?.[2];
  return port === undefined || host === undefined ? undefined : { host, port };
}

/** host:port as it is written, an IPv6 host in brackets. */
export function showAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export const ENDPOINTS: Format<readonly string[]> = {
  allowed: "host:port, or several as a list or separated by commas (an IPv6 host in brackets)",
  list: true,
  parse: (text) => {
    const items = text.split(",").map((item) => item.trim());
    return items.every((item) => parseAddress(item, 1)) ? items : undefined;
  },
  show: (items) => items.join(","),
};

export type LabelSet = Readonly<Record<string, string>>;

/**
 * Names as Prometheus has them (those with __ are its own). What is refused in values the parser of BanyanDB's FODC
 * agent cannot read (fodc/agent/internal/metrics/parse.go), nor can this list.
 */
const LABEL = /^\s*((?!__)[A-Za-z_][A-Za-z0-9_]{0,63})=([^\p{Cc}"\\{},=]{1,256})$/u;

export const LABELS: Format<LabelSet> = {
  allowed: "name=value, or several as a list or separated by commas, without quotes, braces and backslashes",
  list: true,
  parse: (text) => {
    const pairs = text.split(",").map((item) => LABEL.exec(item));
    const entries = pairs.flatMap((match) =>
      match ? [[match[1] ?? "", (match[2] ?? "").trim()] as const] : [],
    );
    const labels = Object.fromEntries(entries);
    return Object.keys(labels).length === pairs.length && entries.every(([, value]) => value !== "")
      ? labels
      : undefined;
  },
  show: (labels) =>
    Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(","),
};

export const LISTEN: Format<Address | "off"> = {
  allowed: "host:port (an IPv6 host in brackets, port 0 for any free one), or off",
  parse: (text) => (text === "off" ? "off" : parseAddress(text, 0)),
  show: (value) => (value === "off" ? value : showAddress(value)),
};
