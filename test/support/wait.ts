/** Waiting in tests for what takes real time. */
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 20;

/** Resolves as soon as `condition` holds; rejects, saying what did not happen, when it does not in time. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const giveUpAtMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(POLL_MS);
  }
}
