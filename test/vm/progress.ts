/** Shows that what takes long still lives. */

/** Short enough for whoever takes silence for a standstill. */
const PROGRESS_MS = 20_000;

/** Does something, and prints its name now and then until it is done. */
export async function withProgress<Result>(name: string, action: () => Promise<Result>): Promise<Result> {
  const beginMs = performance.now();
  const timer = setInterval(() => {
    console.log(`  … ${name}, ${((performance.now() - beginMs) / 1000).toFixed(0)} s`);
  }, PROGRESS_MS);
  try {
    return await action();
  } finally {
    clearInterval(timer);
  }
}
