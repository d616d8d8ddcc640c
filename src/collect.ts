/** From one read-out of the kernel to the samples of a tick. */
import type { Kernel, KernelReading } from "./kernel/kernel.js";
import { trackCounts, type ComponentCounts } from "./model/counters.js";
import { trackCumulative, type Cumulative } from "./model/cumulative.js";
import type { Schema } from "./model/measure.js";
import { makeSample, type Sample } from "./model/tick.js";
import { measureNamed } from "./agent-samples.js";

export interface Collector {
  /** What was added since the previous call, one sample per series. */
  advance(): Sample[];
  /** The target's counters since the start, summed over the components, by a fresh read. */
  totals(): Readonly<Record<string, bigint>>;
}

const SCOPES = ["target", "node"] as const;

export function createCollector(kernel: Kernel, schema: Schema): Collector {
  const measures = {
    pageCache: measureNamed(schema, "page_cache"),
    component: measureNamed(schema, "page_cache_component"),
    hints: measureNamed(schema, "fadvise"),
    pressure: measureNamed(schema, "memory_pressure"),
  };
  const { names } = kernel.layout;
  const start = kernel.read();
  const counts = trackCounts(kernel.layout, start.counters);
  const storage = trackCumulative(storageOf(start));
  const pressure = SCOPES.map((scope) => ({ scope, grown: trackCumulative(pressureOf(start, scope)) }));
  const hints = Object.entries(start.hints).map(([advice, values]) => ({
    advice,
    grown: trackCumulative(values),
  }));
  const available = (name: string, value: number | undefined) =>
    kernel.available.has(name) ? value : undefined;
  /** Where the available counts stand: there may be hundreds of components in a tick. */
  const indexOf = new Map(
    counts.names.flatMap((name, i): [string, number][] => (kernel.available.has(name) ? [[name, i]] : [])),
  );

  function componentSample({ component, counts: values }: ComponentCounts): Sample {
    const { catalog, dbGroup, fileKind } = kernel.describe(component);
    return makeSample(measures.component, [catalog, dbGroup, fileKind], (name) => {
      const index = indexOf.get(name);
      return index === undefined ? undefined : (values[index] ?? 0);
    });
  }

  function totalSample(
    components: readonly ComponentCounts[],
    moved: Record<string, number | undefined>,
  ): Sample {
    return makeSample(measures.pageCache, [], (name) => {
      if (name in moved) return available(name, moved[name]);
      const index = indexOf.get(name);
      if (index === undefined) return undefined;
      return components.reduce((sum, { counts: values }) => sum + (values[index] ?? 0), 0);
    });
  }

  return {
    advance() {
      const reading = kernel.read();
      kernel.nextInterval();
      const components = counts.advance(reading.counters);
      const moved = storage(storageOf(reading));
      return [
        totalSample(components, moved),
        ...components.map(componentSample),
        ...hints.map(({ advice, grown }) => {
          const values = grown(reading.hints[advice] ?? {});
          return makeSample(measures.hints, [advice], (name) => available(name, values[name]));
        }),
        ...pressure.map(({ scope, grown }) => {
          const values = grown(pressureOf(reading, scope));
          return makeSample(measures.pressure, [scope], (name) =>
            FROM_FILES.has(name) ? values[name] : available(name, values[name]),
          );
        }),
      ];
    },
    totals() {
      const now = kernel.read();
      const sum = (counter: number) => {
        let total = 0n;
        for (let at = counter; at < now.counters.length; at += names.length) {
          total += (now.counters[at] ?? 0n) - (start.counters[at] ?? 0n);
        }
        return total;
      };
      const counters = names.map((name, counter): [string, bigint] => [name, sum(counter)]);
      const { read, write } = now.storage;
      return Object.fromEntries([...counters, ["storage_read_bytes", read], ["storage_write_bytes", write]]);
    },
  };
}

function storageOf({ storage }: KernelReading): Cumulative {
  return { storage_read_bytes: storage.read, storage_write_bytes: storage.write };
}

/** Pressure numbers that no program counts. */
const FROM_FILES: ReadonlySet<string> = new Set(["refaults", "psi_some_us", "psi_full_us"]);

function pressureOf({ pressure, pressureFiles }: KernelReading, scope: "target" | "node"): Cumulative {
  const { reclaim_stall_ns: stallNs = 0n, ...counters } = pressure[scope];
  const files = pressureFiles[scope];
  return {
    ...counters,
    // Whole microseconds of the cumulative time, so that nothing is lost to rounding.
    reclaim_stall_us: stallNs / 1000n,
    refaults: files.refaults,
    psi_some_us: files.psiSomeUs,
    psi_full_us: files.psiFullUs,
  };
}
