/** Rows as they are written, of one read-out of the kernel side. */
import { createCollector } from "../../src/collect.js";
import { bucketsOf } from "../../src/collect-latency.js";
import { readSchema } from "../../src/config/schema-files.js";
import type { Kernel } from "../../src/kernel/kernel.js";
import { fieldValues, type Sample } from "../../src/model/tick.js";

export type Row = Readonly<Record<string, number | undefined>>;

/** Values of all fields by name; absent ones are undefined. */
export function rowOf(sample: Sample, intervalMs = 1000): Row {
  const values = fieldValues(sample, intervalMs);
  return Object.fromEntries(sample.measure.fields.map(({ name }, i) => [name, values[i]]));
}

export interface Rows {
  /** The row of a measure with these tags. @throws Error where there is none */
  row(measure: string, ...tags: string[]): Row;
  /** All rows of a measure. */
  all(measure: string): readonly { readonly tags: readonly string[]; readonly row: Row }[];
}

/** Returns the function that takes the rows of what was counted since its last call. */
export function collectRows(kernel: Kernel): () => Rows {
  const schema = readSchema();
  const collector = createCollector(kernel, schema, "now");
  const withBuckets = bucketsOf(schema);
  return () => {
    const samples = withBuckets(collector.advance());
    const all = (measure: string) =>
      samples
        .filter((sample) => sample.measure.name === measure)
        .map((sample) => ({ tags: sample.tags, row: rowOf(sample) }));
    return {
      all,
      row(measure, ...tags) {
        const found = all(measure).find((one) => tags.every((tag, i) => one.tags[i] === tag));
        if (!found) throw new Error(`there is no row of ${measure} ${tags.join(" ")}`);
        return found.row;
      },
    };
  };
}
