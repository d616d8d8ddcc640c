/** What can be wrong with a configuration, and how it is reported: all of it at once. */

export interface ConfigProblem {
  /** Key such as queue.max_bytes; undefined where the trouble is with the file as a whole. */
  readonly key: string | undefined;
  /** Where it was written: file with line, environment variable, or flag. */
  readonly source: string;
  /** What is wrong and what would be right. Never holds a secret. */
  readonly message: string;
}

/** A configuration that cannot be used; carries every problem that it has. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map((problem) => `  ${problemLine(problem)}`);
    super(`bad configuration, ${problems.length} problem(s):\n${lines.join("\n")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** A problem on one line. */
export function problemLine({ key, source, message }: ConfigProblem): string {
  return `${key === undefined ? "" : `${key}: `}${message} (${source})`;
}

/** Longest value that is repeated in a message. */
const SHOWN_MAX = 80;

/** A value as it may stand in a message. */
export function quoteValue(text: string): string {
  return JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
}
