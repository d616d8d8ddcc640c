#!/usr/bin/env node
/** argv, signals, exit code. */
import { hostname } from "node:os";
import type { Signals } from "./cli/command.js";
import { keepSmall } from "./heap.js";

const stop = new AbortController();
const kill = new AbortController();

function watchSignals(): Signals {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      (stop.signal.aborted ? kill : stop).abort();
    });
  }
  return {
    stop: stop.signal,
    kill: kill.signal,
    onReload: (listener) => {
      process.on("SIGHUP", listener);
    },
  };
}

keepSmall();
const { runCli } = await import("./cli/cli.js");
const exitCode = await runCli(process.argv.slice(2), {
  environment: process.env,
  hostname: hostname(),
  stdout: process.stdout,
  stderr: process.stderr,
  signals: watchSignals,
});
// Else the process ends by itself once the last line is written, which process.exit would cut off.
if (kill.signal.aborted) process.exit(exitCode);
process.exitCode = exitCode;
