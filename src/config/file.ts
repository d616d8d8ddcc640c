/** Reads the YAML file into texts by key, each with the line where it stands. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import type { ConfigProblem } from "./problems.js";
import { isSettingKey, SETTING_KEYS, settingOf, type SettingKey } from "./schema.js";

/** A value as it was written, and where. */
export interface Written {
  /** null: written without a value, which means the default. */
  readonly text: string | null;
  readonly source: string;
}

export interface FileContent {
  readonly values: ReadonlyMap<SettingKey, Written>;
  readonly problems: readonly ConfigProblem[];
}

/** Parses the text of a configuration file; what is wrong is in `problems`, nothing is thrown. */
export function parseConfigFile(path: string, text: string): FileContent {
  const lines = new LineCounter();
  // The pretty errors of the library repeat the line, which may hold a secret.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const source = (offset: number | undefined): string =>
    offset === undefined ? `file ${path}` : `file ${path}:${lines.linePos(offset).line}`;

  const values = new Map<SettingKey, Written>();
  const problems: ConfigProblem[] = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    key: undefined,
    source: source(pos[0]),
    message: isSecretLine(text, pos[0])
      ? "not valid YAML, quote the value"
      : `not valid YAML: ${withoutQuote(message)}`,
  }));
  if (document.errors.length === 0) walk(document, source, values, problems);
  return { values, problems };
}

/** The library puts a colon before what it repeats from the file, which may be a part of a secret. */
function withoutQuote(message: string): string {
  return message.split(": ", 1)[0] ?? message;
}

/** Whether a secret is written on the line at `offset`. */
function isSecretLine(text: string, offset: number): boolean {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const line = text.slice(start).split("\n", 1)[0] ?? "";
  return SETTING_KEYS.some(
    (key) => settingOf(key).sensitive === true && line.includes(key.slice(key.lastIndexOf(".") + 1)),
  );
}

function walk(
  document: Document,
  source: (offset: number | undefined) => string,
  values: Map<SettingKey, Written>,
  problems: ConfigProblem[],
): void {
  // An alias without its anchor becomes itself, which is neither a map nor a scalar, and so refused.
  const resolve = (node: unknown): Node | undefined =>
    isAlias(node) ? (node.resolve(document) ?? node) : ((node ?? undefined) as Node | undefined);

  const section = (node: Node | undefined, path: string): void => {
    if (node === undefined || (isScalar(node) && node.value === null)) return;
    const at = source(node.range?.[0]);
    if (!isMap(node)) {
      problems.push({ key: path || undefined, source: at, message: "must be a map of keys to values" });
      return;
    }
    for (const pair of node.items) {
      const name = textOf(pair.key) ?? "";
      const key = path === "" ? name : `${path}.${name}`;
      const keyAt = source((pair.key as Node).range?.[0]);
      const value = resolve(pair.value);
      if (isSettingKey(key)) leaf(key, value, keyAt);
      else if (SETTING_KEYS.some((known) => known.startsWith(`${key}.`))) section(value, key);
      else problems.push({ key, source: keyAt, message: `unknown key; known here: ${namesBelow(path)}` });
    }
  };

  const leaf = (key: SettingKey, node: Node | undefined, at: string): void => {
    const { format } = settingOf(key);
    if (node === undefined || (isScalar(node) && node.value === null)) {
      values.set(key, { text: null, source: at });
      return;
    }
    const text = format.list === true && isSeq(node) ? listText(node.items.map(resolve)) : textOf(node);
    if (text !== undefined) values.set(key, { text, source: at });
    else problems.push({ key, source: at, message: `wrong type: must be ${format.allowed}` });
  };

  section(document.contents ?? undefined, "");
}

/** The text of a scalar as it was written, so that 0123 and 1e3 stay what they are. */
function textOf(node: unknown): string | undefined {
  if (!isScalar(node)) return undefined;
  return node.source ?? String(node.value);
}

function listText(items: readonly unknown[]): string | undefined {
  const texts = items.map(textOf);
  return texts.includes(undefined) ? undefined : texts.join(",");
}

function namesBelow(path: string): string {
  const prefix = path === "" ? "" : `${path}.`;
  const names = SETTING_KEYS.filter((key) => key.startsWith(prefix)).map(
    (key) => key.slice(prefix.length).split(".")[0],
  );
  return [...new Set(names)].join(", ");
}
