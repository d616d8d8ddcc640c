/** A second count, by the kernel's own tracepoints and none of our programs. Needs root. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Trace {
  /** Records that the trace itself lost. */
  lost(): number;
  stop(): Promise<void>;
}

export interface TracedEvent {
  /** Such as filemap/mm_filemap_delete_from_page_cache. */
  readonly event: string;
  /** In the language of tracefs (Documentation/trace/events.rst). */
  readonly filter: string;
  /** Is given what the record says, without task, CPU and time. */
  readonly record: (text: string) => void;
}

/** Between a record and its arrival here; the kernel wakes the reader of a trace once a second at most. */
export const TRACE_DELAY_MS = 2000;
const BUFFER_KB = 8192;

/** Traces events in an instance of their own, so that nobody else's tracing is disturbed. */
export function traceEvents(events: readonly TracedEvent[]): Trace {
  const tracefs = mkdtempSync(join(tmpdir(), "tracefs-"));
  execFileSync("mount", ["-t", "tracefs", "tracefs", tracefs]);
  const instance = join(tracefs, "instances", `sidecar-bench-${process.pid}`);
  mkdirSync(instance);
  writeFileSync(join(instance, "buffer_size_kb"), String(BUFFER_KB));
  const records = new Map(events.map(({ event, record }) => [event.slice(event.indexOf("/") + 1), record]));
  const reader = spawn("cat", [join(instance, "trace_pipe")], { stdio: ["ignore", "pipe", "inherit"] });
  createInterface({ input: reader.stdout }).on("line", (line) => {
    const [, name = "", text = ""] = /^.*? \S+: (\w+): (.*)$/.exec(line) ?? [];
    records.get(name)?.(text);
  });
  const folderOf = (event: string) => join(instance, "events", event);
  for (const { event, filter } of events) {
    writeFileSync(join(folderOf(event), "filter"), filter);
    writeFileSync(join(folderOf(event), "enable"), "1");
  }
  return {
    lost: () =>
      readdirSync(join(instance, "per_cpu"))
        .map((cpu) => readFileSync(join(instance, "per_cpu", cpu, "stats"), "utf8"))
        .flatMap((stats) => [...stats.matchAll(/^(?:overrun|dropped events): (\d+)$/gm)])
        .reduce((sum, [, lost]) => sum + Number(lost), 0),
    async stop() {
      for (const { event } of events) writeFileSync(join(folderOf(event), "enable"), "0");
      reader.kill();
      await once(reader, "exit");
      rmdirSync(instance);
      execFileSync("umount", [tracefs]);
      rmdirSync(tracefs);
    },
  };
}
