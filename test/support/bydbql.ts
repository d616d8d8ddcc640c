/**
 * A parser for the part of BydbQL that our documents use: SELECT from one measure, as BanyanDB 0.9 to 0.11 accept it
 * (apache/skywalking-banyandb pkg/bydbql/grammar.go). What it does not know is an error, also where a server might
 * accept it. Knows no schema; bydbql-check.ts does.
 */

export interface Column {
  readonly name: string;
  readonly aggregate: string | undefined;
}

export interface Condition {
  readonly tag: string;
  readonly operator: "=" | "IN";
  readonly values: readonly string[];
}

/** Conditions joined by AND in the inner list, by OR in the outer one. */
export type Where = readonly (readonly Condition[])[];

export interface Query {
  readonly top: { readonly count: number; readonly field: string } | undefined;
  readonly columns: readonly Column[];
  readonly measure: string;
  readonly group: string;
  readonly hasTime: boolean;
  readonly where: Where;
  readonly groupBy: readonly string[];
  readonly limit: number | undefined;
}

export class BydbqlError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = "BydbqlError";
  }
}

const AGGREGATES: ReadonlySet<string> = new Set(["SUM", "MEAN", "AVG", "COUNT", "MAX", "MIN"]);
const TIME_OPERATORS: ReadonlySet<string> = new Set([">", ">=", "<", "<=", "="]);
/** RFC 3339 in UTC, a duration relative to now, or now itself. */
const TIME_VALUE = /^'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|-\d+[mhdw]|now)'$/;

/** Words, whole numbers, strings and signs. A point, a semicolon or an arithmetic sign is none of them. */
const TOKEN = /\s*(?:([A-Za-z_][A-Za-z0-9_]*)|(\d+)|('[^']*')|(<=|>=|[=<>(),]))/y;

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new BydbqlError(`cannot read ${JSON.stringify(text.slice(from, from + 20))}`);
    tokens.push(match[0].trim());
  }
  return tokens;
}

/** @throws BydbqlError */
export function parseBydbql(text: string): Query {
  const tokens = tokenize(text);
  let at = 0;

  const ahead = () => tokens[at] ?? "the end";
  const accept = (word: string): boolean => {
    if (ahead().toUpperCase() !== word) return false;
    at++;
    return true;
  };
  const expectWord = (...words: readonly string[]): void => {
    for (const word of words) if (!accept(word)) throw new BydbqlError(`expected ${word} and not ${ahead()}`);
  };
  const take = (what: string, pattern: RegExp): string => {
    const token = ahead();
    if (!pattern.test(token)) throw new BydbqlError(`expected ${what} and not ${token}`);
    at++;
    return token;
  };
  const name = () => take("a name", /^[A-Za-z_]\w*$/);
  const number = () => Number(take("a whole number", /^\d+$/));
  const quoted = () => take("a string", /^'/).slice(1, -1);
  const list = <T>(item: () => T): T[] => {
    const items = [item()];
    while (accept(",")) items.push(item());
    return items;
  };

  function column(): Column {
    const first = name();
    if (!accept("(")) return { name: first, aggregate: undefined };
    if (!AGGREGATES.has(first.toUpperCase())) throw new BydbqlError(`${first} is no aggregate function`);
    const inner = name();
    expectWord(")");
    return { name: inner, aggregate: first.toUpperCase() };
  }

  function topOf(): Query["top"] {
    if (!accept("TOP")) return undefined;
    const count = number();
    const field = name();
    if (!accept("DESC")) accept("ASC");
    expectWord(",");
    return { count, field };
  }

  function time(): boolean {
    if (!accept("TIME")) return false;
    const value = () => take("a time", TIME_VALUE);
    if (accept("BETWEEN")) {
      value();
      expectWord("AND");
    } else if (TIME_OPERATORS.has(ahead())) at++;
    else throw new BydbqlError(`TIME does not take ${ahead()}`);
    value();
    return true;
  }

  function condition(): Condition {
    const tag = name();
    if (accept("=")) return { tag, operator: "=", values: [quoted()] };
    expectWord("IN", "(");
    const values = list(quoted);
    expectWord(")");
    return { tag, operator: "IN", values };
  }

  /** AND-ed conditions; in parentheses where an OR follows or went before. */
  function conjunction(): Condition[] {
    const inParentheses = accept("(");
    const conditions = [condition()];
    while (accept("AND")) conditions.push(condition());
    if (inParentheses) expectWord(")");
    return conditions;
  }

  function where(): Where {
    if (!accept("WHERE")) return [];
    const parts = [conjunction()];
    while (accept("OR")) parts.push(conjunction());
    return parts;
  }

  expectWord("SELECT");
  const top = topOf();
  const columns = list(column);
  expectWord("FROM", "MEASURE");
  const measure = name();
  expectWord("IN");
  const group = name();
  const hasTime = time();
  const conditions = where();
  let groupBy: string[] = [];
  if (accept("GROUP")) {
    expectWord("BY");
    groupBy = list(name);
  }
  if (accept("ORDER")) {
    expectWord("BY");
    if (!accept("DESC")) expectWord("ASC");
  }
  const limit = accept("LIMIT") ? number() : undefined;
  if (accept("OFFSET")) number();
  if (at < tokens.length) throw new BydbqlError(`unexpected ${ahead()}`);
  return { top, columns, measure, group, hasTime, where: conditions, groupBy, limit };
}
