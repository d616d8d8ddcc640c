/** Reads what a guest has written on its serial line. Pure. */

export interface SuiteResult {
  readonly tier: string;
  readonly passed: number;
  readonly failed: number;
  /** What went wrong besides tests that failed. */
  readonly problem: string | undefined;
  /** What the tests printed. */
  readonly log: string;
}

export interface Report {
  /** The mode of preemption that held, such as full; unknown where the kernel does not say. */
  readonly preemption: string;
  readonly suites: readonly SuiteResult[];
  /** What the addon says of the kernel, as JSON, where that was asked for. */
  readonly facts: string | undefined;
  /** What our programs cost there, as JSON, where that was asked for. */
  readonly costs: string | undefined;
  /** Whether the guest went off by itself. */
  readonly complete: boolean;
}

/** Takes apart the text between the lines that begin with @@, see guest/init.sh. */
export function parseSerial(text: string): Report {
  const suites: SuiteResult[] = [];
  let preemption = "unknown";
  let facts: string | undefined;
  let costs: string | undefined;
  let complete = false;
  let running: string | undefined;
  let log: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, mark, rest = ""] = /^@@(\w+) (.*)$/.exec(line) ?? [];
    if (mark === undefined) log.push(line);
    else if (mark === "preemption") preemption = rest;
    else if (mark === "facts") facts = rest;
    else if (mark === "costs") costs = rest;
    else if (mark === "begin") [running, log] = [rest, []];
    else if (mark === "end") {
      suites.push(suiteResult(rest, log.join("\n")));
      running = undefined;
    } else if (mark === "off") complete = true;
  }
  if (running !== undefined) suites.push(lost(running, "it did not end", log.join("\n")));
  return { preemption, suites, facts, costs, complete };
}

function suiteResult(words: string, log: string): SuiteResult {
  const [, tier = "", code = "", json = ""] = /^(\S+) (\d+) ?(.*)$/.exec(words) ?? [];
  if (json === "") return lost(tier, `mocha ended with ${code} and without results`, log);
  const { passed, failed } = JSON.parse(json) as { passed: number; failed: number };
  // mocha's exit code is the number of failures.
  const problem = failed === 0 && code !== "0" ? `mocha ended with ${code}` : undefined;
  return { tier, passed, failed, problem, log };
}

function lost(tier: string, problem: string, log: string): SuiteResult {
  return { tier, passed: 0, failed: 0, problem, log };
}
