/** Says what a person waits for, and takes it back when it is over. */
import type { Context } from "./command.js";
import { isTerminal } from "./terminal.js";

/** A person who sees nothing for longer believes that it hangs. */
const PATIENCE_MS = 2000;

/** Back to the first column, and nothing right of it (ECMA-48). */
const ERASE_LINE = "\r\u001b[K";

/**
 * Does `action`, which may take longer than `PATIENCE_MS`. On a terminal `what` is shown at once, since an action
 * that does not yield leaves no time for it later, and erased in the end. Elsewhere it is one line, and only
 * where it does take longer.
 */
export async function withProgress<T>(
  { stderr, environment }: Pick<Context, "stderr" | "environment">,
  what: string,
  action: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const terminal = isTerminal(stderr, environment);
  if (terminal) stderr.write(`${what} ...`);
  const timer = setTimeout(() => {
    if (!terminal) stderr.write(`${what} ...\n`);
  }, patienceMs);
  try {
    return await action();
  } finally {
    clearTimeout(timer);
    if (terminal) stderr.write(ERASE_LINE);
  }
}
