/** A sink that prints rows instead of sending them. */
import type { Writable } from "node:stream";
import type { Sink } from "../agent.js";
import type { Log } from "../model/log.js";
import type { GroupSpec } from "../model/measure.js";
import { fieldValues, type Identity, type Sample, type Tick } from "../model/tick.js";

/** Bytes that may wait for a reader who is slow; rows beyond are left out, and the log says so. */
const WAITING_MAX_BYTES = 1024 * 1024;

export interface DryRunOptions {
  readonly group: GroupSpec;
  /** Of samples that have none of their own. */
  readonly identity: Identity;
  readonly stdout: Writable;
  readonly log: Log;
}

/** Prints each row as one JSON object per line. */
export function dryRunSink({ group, identity, stdout, log }: DryRunOptions): Sink {
  return {
    enqueue(tick) {
      if (stdout.writableLength > WAITING_MAX_BYTES) {
        log.throttled("dry run", "rows are left out: standard output is not read fast enough");
        return;
      }
      for (const sample of tick.samples)
        stdout.write(`${JSON.stringify(rowOf(tick, sample, group, identity))}\n`);
    },
    status: () => undefined,
    stop: () => Promise.resolve(),
    abort: () => undefined,
  };
}

/** A row as BanyanDB would have it; absent fields are left out. */
export function rowOf(tick: Tick, sample: Sample, group: GroupSpec, own: Identity): object {
  const { measure, identity = own, tags } = sample;
  const names = [...group.identityTags, ...measure.tags].map(({ name }) => name);
  const values = [...identity, ...tags];
  const fields = fieldValues(sample, tick.intervalMs);
  return {
    time: new Date(tick.timestampMs).toISOString(),
    measure: measure.name,
    tags: Object.fromEntries(names.map((name, i) => [name, values[i]])),
    fields: Object.fromEntries(measure.fields.map(({ name }, i) => [name, fields[i]])),
  };
}
