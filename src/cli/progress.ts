/** Says what a person waits for, and takes it back when it is over. */
import type { Context } from "./command.js";
import { isTerminal } from "./terminal.js";

/** A person who sees nothing for longer believes that it hangs. */
const PATIENCE_MS = 2000;

/** Back to the first column, and nothing right of it (ECMA-48). */
const ERASE_LINE = "\r\u001b[K";

/**
 * Shows `what` until the returned function is called, which may be called again. On a terminal at once, since what
 * does not yield leaves no time for it later, and erased in the end. Elsewhere it is one line, and only where it does
 * take longer than `PATIENCE_MS`.
 */
export function startProgress(
  { stderr, environment }: Pick<Context, "stderr" | "environment">,
  what: string,
  patienceMs = PATIENCE_MS,
): () => void {
  const terminal = isTerminal(stderr, environment);
  if (terminal) stderr.write(`${what} ...`);
  const timer = setTimeout(() => {
    if (!terminal) stderr.write(`${what} ...\n`);
  }, patienceMs);
  let over = false;
  return () => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    if (terminal) stderr.write(ERASE_LINE);
  };
}

/** Does `action`, and shows `what` meanwhile. */
export async function withProgress<T>(
  context: Pick<Context, "stderr" | "environment">,
  what: string,
  action: () => T | Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = startProgress(context, what, patienceMs);
  try {
    return await action();
  } finally {
    end();
  }
}
