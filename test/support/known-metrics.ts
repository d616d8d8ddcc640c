/** Every metric that /metrics can show, by the product's own renderer, with the labels that it can have. */
import type { Sample } from "../../src/model/tick.js";
import { addToTotals } from "../../src/model/totals.js";
import { metricsPage } from "../../src/observe/metrics.js";
import { SCHEMA, sampleOf, tickOf } from "./schema-ticks.js";
import { HEALTHY } from "./status.js";

/** Name of the metric, as a series has it, to names of labels. */
export function knownMetrics(): ReadonlyMap<string, ReadonlySet<string>> {
  const samples: readonly Sample[] = SCHEMA.measures.flatMap(({ name, tags }) =>
    // Some names are only for series with a certain value of a tag.
    ["willneed", "dontneed", "target", "node"].map((value) =>
      sampleOf(
        name,
        tags.map(() => value),
        {},
        1,
      ),
    ),
  );
  const totals = addToTotals(undefined, tickOf(1000, samples));
  const page = metricsPage(SCHEMA)({ status: HEALTHY, totals });
  const known = new Map<string, Set<string>>();
  for (const [, name = "", labels = ""] of page.matchAll(/^(\w+)(?:\{([^}]*)\})? \S+$/gm)) {
    const names = known.get(name) ?? new Set<string>();
    for (const [, label = ""] of labels.matchAll(/(\w+)=/g)) names.add(label);
    known.set(name, names);
  }
  return known;
}
