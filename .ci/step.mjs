/**
 * One step of the set-up or of the tests: says its name and how long it took, shows that a long one lives,
 * and shows the whole output of one that failed. Plain Node: it runs before any dependency is there.
 */
import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";

/** A step that takes longer than the first shows its progress, then ever less often, down to the second. */
const FIRST_PROGRESS_MS = 2_000;
const LAST_PROGRESS_MS = 30_000;
const LINE_WIDTH = 100;

/** A step that did not succeed; the message is for people and may have several lines. */
export class StepError extends Error {}

/**
 * Runs `action(progress)` as the step `name`; what it throws passes through. The text that it may return
 * stands in the step's line. `progress(line)` hands in the latest news, shown only when the step takes long.
 */
export async function step(output, name, action) {
  const begin = performance.now();
  let news = "";
  const show = () => {
    output.write(`  … ${name}, ${seconds(begin)}${news && `: ${news}`}\n`);
    timer = setTimeout(show, Math.min(performance.now() - begin, LAST_PROGRESS_MS));
  };
  let timer = setTimeout(show, FIRST_PROGRESS_MS);
  const progress = (line) => {
    news = line.slice(0, LINE_WIDTH);
  };
  try {
    const note = await action(progress);
    output.write(`✓ ${name}${note === undefined ? "" : `: ${note}`}, ${seconds(begin)}\n`);
  } catch (error) {
    output.write(`✗ ${name}, ${seconds(begin)}\n`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A quiet npm that started this process would make its children hide even their errors. */
const NPM_ENV = { npm_config_loglevel: "warn" };

/**
 * Runs a program without standard input and returns what it wrote on both outputs, in order of arrival.
 * Rejects with StepError, holding that output, when it cannot start or exits with another code than 0.
 */
export function run(command, args, { env = {}, progress = () => undefined } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...NPM_ENV, ...env },
    });
    let text = "";
    const take = (chunk) => {
      text += chunk;
      const line = chunk
        .split(/[\r\n]+/)
        .filter((part) => part.trim() !== "")
        .at(-1);
      if (line !== undefined) progress(line.trim());
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", take);
    child.on("error", (error) => reject(new StepError(`${command}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(text);
      else reject(new StepError(`${text.trimEnd()}\n${commandLine(command, args)}: ${ended(code, signal)}`));
    });
  });
}

export function commandLine(command, args) {
  return [command, ...args].join(" ");
}

/** How a child process ended, in words. */
export function ended(code, signal) {
  return signal === null ? `exit code ${code}` : `killed by ${signal}`;
}

function seconds(begin) {
  return `${((performance.now() - begin) / 1000).toFixed(1)} s`;
}
