/** A second count, by the kernel's own tracepoints and none of our programs. Needs root. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Trace {
  /** Resolves when all that has happened until now was recorded. */
  settle(): Promise<void>;
  /** Records that the trace itself lost. */
  lost(): number;
  stop(): Promise<void>;
}

export interface TracedEvent {
  /** Such as filemap/mm_filemap_delete_from_page_cache. */
  readonly event: string;
  /** In the language of tracefs (Documentation/trace/events.rst). */
  readonly filter: string;
  /** Is given what the record says, without task, CPU and time, and the kernel's functions, the innermost first. */
  readonly record: (text: string, stack: readonly string[]) => void;
  /** Else `record` is given an empty stack, which costs less. */
  readonly withStack?: true;
}

const BUFFER_KB = 8192;

/** Traces events in an instance of their own, so that nobody else's tracing is disturbed. */
export function traceEvents(events: readonly TracedEvent[]): Trace {
  const tracefs = mkdtempSync(join(tmpdir(), "tracefs-"));
  execFileSync("mount", ["-t", "tracefs", "tracefs", tracefs]);
  const instance = join(tracefs, "instances", `sidecar-test-${process.pid}`);
  mkdirSync(instance);
  writeFileSync(join(instance, "buffer_size_kb"), String(BUFFER_KB));
  const reader = spawn("cat", [join(instance, "trace_pipe")], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = lineReader(events);
  let settled = 0;
  createInterface({ input: reader.stdout }).on("line", lines.read);
  const folderOf = (event: string) => join(instance, "events", event);
  for (const { event, filter, withStack } of events) {
    writeFileSync(join(folderOf(event), "filter"), filter);
    if (withStack) writeFileSync(join(folderOf(event), "trigger"), `stacktrace if ${filter}`);
    writeFileSync(join(folderOf(event), "enable"), "1");
  }
  return {
    async settle() {
      // What is written here comes out after all that happened before it.
      const text = `settle ${++settled}`;
      const seen = lines.seen(text);
      writeFileSync(join(instance, "trace_marker"), text);
      await seen;
    },
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

/** A record whose stack follows it, in lines of its own. */
interface Pending {
  readonly text: string;
  readonly event: TracedEvent;
  readonly stack: string[];
}

interface LineReader {
  readonly read: (line: string) => void;
  /** Resolves when a text that was written to trace_marker arrives, and everything before it is recorded. */
  readonly seen: (text: string) => Promise<void>;
}

/** A stack follows its own record, but lines of other CPUs may come between them; its own lines are together. */
function lineReader(events: readonly TracedEvent[]): LineReader {
  const byName = new Map(events.map((event) => [event.event.slice(event.event.indexOf("/") + 1), event]));
  const pending = new Map<string, Pending>();
  const marks = new Map<string, () => void>();
  let speaking: Pending | undefined;
  const finish = (cpu: string) => {
    const done = pending.get(cpu);
    pending.delete(cpu);
    done?.event.record(done.text, done.stack);
  };
  return {
    read(line) {
      const [, caller] = /^ => (\w+)/.exec(line) ?? [];
      if (caller !== undefined) {
        speaking?.stack.push(caller);
        return;
      }
      const [, cpu = "", what = "", text = ""] =
        / \[(\d+)\] .*?: (\w+|<stack trace>)(?:: (.*))?$/.exec(line) ?? [];
      if (what === "<stack trace>") {
        speaking = pending.get(cpu);
        return;
      }
      finish(cpu);
      if (what === "tracing_mark_write") {
        for (const other of [...pending.keys()]) finish(other);
        marks.get(text)?.();
      }
      const event = byName.get(what);
      if (event?.withStack) pending.set(cpu, { text, event, stack: [] });
      else event?.record(text, []);
    },
    seen: (text) =>
      new Promise((resolve) => {
        marks.set(text, resolve);
      }),
  };
}
