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

/** One item of the list `targets`: what it says of the keys target.* and node.*. */
export interface WrittenTarget {
  readonly source: string;
  readonly values: ReadonlyMap<SettingKey, Written>;
}

export interface FileContent {
  readonly values: ReadonlyMap<SettingKey, Written>;
  readonly targets: readonly WrittenTarget[];
  readonly problems: readonly ConfigProblem[];
}

/** Parses the text of a configuration file; what is wrong is in `problems`, nothing is thrown. */
export function parseConfigFile(path: string, text: string): FileContent {
  const lines = new LineCounter();
  // The pretty errors of the library repeat the line, which may hold a secret.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const source = (offset: number | undefined): string =>
    offset === undefined ? `file ${path}` : `file ${path}:${lines.linePos(offset).line}`;

  const content: Content = { values: new Map(), targets: [], problems: [] };
  const problems = [...document.errors, ...document.warnings].map(({ message, pos }): ConfigProblem => ({
    key: undefined,
    source: source(pos[0]),
    message: isSecretLine(text, pos[0])
      ? "not valid YAML, quote the value"
      : `not valid YAML: ${withoutQuote(message)}`,
  }));
  content.problems.push(...problems);
  if (document.errors.length === 0) walk(document, source, content);
  return content;
}

/** The list of targets, and how its items name the settings of the single target. */
const TARGETS = "targets";
const SINGLE = "target.";
const NODE = "node.";

interface Content {
  readonly values: Map<SettingKey, Written>;
  readonly targets: WrittenTarget[];
  readonly problems: ConfigProblem[];
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
  { values, targets, problems }: Content,
): void {
  // An alias without its anchor becomes itself, which is neither a map nor a scalar, and so refused.
  const resolve = (node: unknown): Node | undefined =>
    isAlias(node) ? (node.resolve(document) ?? node) : ((node ?? undefined) as Node | undefined);

  const isNothing = (node: Node | undefined): node is undefined =>
    node === undefined || (isScalar(node) && node.value === null);

  /** The keys of a map, each with its value and place. */
  const pairsOf = (node: Node | undefined, path: string): [string, Node | undefined, string][] => {
    if (isNothing(node)) return [];
    if (isMap(node))
      return node.items.map((pair) => [
        textOf(pair.key) ?? "",
        resolve(pair.value),
        source((pair.key as Node).range?.[0]),
      ]);
    const at = source(node.range?.[0]);
    problems.push({ key: path || undefined, source: at, message: "must be a map of keys to values" });
    return [];
  };

  const section = (node: Node | undefined, path: string): void => {
    for (const [name, value, at] of pairsOf(node, path)) {
      const key = path === "" ? name : `${path}.${name}`;
      if (isSettingKey(key)) leaf(key, value, at, values, key);
      else if (SETTING_KEYS.some((known) => known.startsWith(`${key}.`))) section(value, key);
      else if (key === TARGETS) list(value, at);
      else problems.push({ key, source: at, message: `unknown key; known here: ${namesBelow(path)}` });
    }
  };

  const list = (node: Node | undefined, at: string): void => {
    if (isNothing(node)) return;
    if (!isSeq(node)) problems.push({ key: TARGETS, source: at, message: "must be a list of targets" });
    else
      node.items.forEach((item, i) => {
        target(resolve(item), `${TARGETS}[${i}]`);
      });
  };

  /** An item of the list: name, command, cgroup or pid, and node with id, cluster, role, type. */
  const target = (node: Node | undefined, path: string): void => {
    const own = new Map<SettingKey, Written>();
    const take = (prefix: string, name: string, value: Node | undefined, at: string): void => {
      const key = prefix + name;
      const shown = prefix === NODE ? `${path}.${key}` : `${path}.${name}`;
      if (isSettingKey(key)) leaf(key, value, at, own, shown);
      else {
        const known = namesBelow(prefix.slice(0, -1)) + (prefix === SINGLE ? ", node" : "");
        problems.push({ key: shown, source: at, message: `unknown key; known here: ${known}` });
      }
    };
    for (const [name, value, at] of pairsOf(node, path)) {
      if (name !== "node") take(SINGLE, name, value, at);
      else for (const [inner, of, innerAt] of pairsOf(value, `${path}.node`)) take(NODE, inner, of, innerAt);
    }
    targets.push({ source: source(node?.range?.[0]), values: own });
  };

  const leaf = (
    key: SettingKey,
    node: Node | undefined,
    at: string,
    into: Map<SettingKey, Written>,
    shown: string,
  ): void => {
    const { format } = settingOf(key);
    if (isNothing(node)) {
      into.set(key, { text: null, source: at });
      return;
    }
    const text =
      format.list === true && isSeq(node)
        ? listText((node as { items: unknown[] }).items.map(resolve))
        : textOf(node);
    if (text !== undefined) into.set(key, { text, source: at });
    else problems.push({ key: shown, source: at, message: `wrong type: must be ${format.allowed}` });
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
