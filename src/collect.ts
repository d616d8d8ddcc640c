/** From one read-out of the kernel to the samples of a tick. */
import { identityTags } from "./config/targets.js";
import type { CountedKernel, IdentityReading, PressureReading } from "./kernel/kernel.js";
import { trackCounts, type ComponentCounts } from "./model/counters.js";
import { trackCumulative, type Cumulative } from "./model/cumulative.js";
import type { Schema } from "./model/measure.js";
import { makeSample, type Identity, type Sample } from "./model/tick.js";
import { measureNamed } from "./agent-samples.js";
import { trackLatency } from "./collect-latency.js";

export interface Collector {
  /** What was added since the previous call, one sample per series. */
  advance(): Sample[];
  /** Counters of all targets since the start, summed over the components, by a fresh read. */
  totals(): Readonly<Record<string, bigint>>;
}

type Grown = ReturnType<typeof trackCumulative>;

/** Differences of what is counted for an identity beside its components. */
interface IdentityTrackers {
  readonly storage: Grown;
  readonly pressure: Grown;
  readonly hints: ReadonlyMap<string, Grown>;
  readonly latency: ReturnType<typeof trackLatency>;
}

/** @param since what counts: what is added from now on, or all that the kernel's counters ever counted */
export function createCollector(kernel: CountedKernel, schema: Schema, since: "now" | "ever"): Collector {
  const measures = {
    pageCache: measureNamed(schema, "page_cache"),
    component: measureNamed(schema, "page_cache_component"),
    hints: measureNamed(schema, "fadvise"),
    pressure: measureNamed(schema, "memory_pressure"),
  };
  const { names } = kernel.layout;
  const start = kernel.read();
  const began = since === "now" ? start : zeroed(start);
  const counts = trackCounts(kernel.layout, began.counters);
  const trackers = began.identities.map((reading) => trackIdentity(reading, schema));
  const nodePressure = trackCumulative(pressureOf(began.node));
  // A time of this process, whatever the counters remember.
  const sampled = trackCumulative({ ms: start.sampledMs });
  const available = (name: string, value: number | undefined) =>
    kernel.available.has(name) ? value : undefined;
  /** Where the available counts stand: there may be hundreds of components in a tick. */
  const indexOf = new Map(
    counts.names.flatMap((name, i): [string, number][] => (kernel.available.has(name) ? [[name, i]] : [])),
  );

  /** An identity that was found later has counted nothing before. */
  function trackersOf(number: number, reading: IdentityReading): IdentityTrackers {
    const nothing = since === "now" ? nothingYet(reading) : zeroed(reading);
    return (trackers[number] ??= trackIdentity(nothing, schema));
  }

  function componentSample({ component, counts: values }: ComponentCounts, identity: Identity): Sample {
    const { catalog, dbGroup, fileKind } = kernel.describe(component);
    return makeSample(
      measures.component,
      [catalog, dbGroup, fileKind],
      (name) => {
        const index = indexOf.get(name);
        return index === undefined ? undefined : (values[index] ?? 0);
      },
      identity,
    );
  }

  function totalSample(
    components: readonly ComponentCounts[],
    moved: Record<string, number | undefined>,
    identity: Identity,
  ): Sample {
    const valueOf = (name: string) => {
      if (name in moved) return available(name, moved[name]);
      const index = indexOf.get(name);
      if (index === undefined) return undefined;
      return components.reduce((sum, { counts: values }) => sum + (values[index] ?? 0), 0);
    };
    return makeSample(measures.pageCache, [], valueOf, identity);
  }

  function pressureSample(
    scope: "target" | "node",
    values: Record<string, number | undefined>,
    identity?: Identity,
  ): Sample {
    return makeSample(
      measures.pressure,
      [scope],
      (name) => (FROM_FILES.has(name) ? values[name] : available(name, values[name])),
      identity,
    );
  }

  function identitySamples(
    number: number,
    reading: IdentityReading,
    all: readonly ComponentCounts[],
    sampledMs: number | undefined,
    identity: Identity,
  ): Sample[] {
    const { storage, hints, pressure, latency } = trackersOf(number, reading);
    const own = all.filter(({ component }) => kernel.identityOf(component) === number);
    return [
      totalSample(own, storage(storageOf(reading)), identity),
      ...own.map((component) => componentSample(component, identity)),
      ...latency(reading.timed, sampledMs, identity),
      ...[...hints].map(([advice, grown]) => {
        const values = grown(reading.hints[advice] ?? {});
        return makeSample(measures.hints, [advice], (name) => available(name, values[name]), identity);
      }),
      pressureSample("target", pressure(pressureOf(reading.pressure)), identity),
    ];
  }

  return {
    advance() {
      kernel.endInterval();
      const reading = kernel.read();
      kernel.nextInterval();
      const components = counts.advance(reading.counters);
      const nodes = kernel.identities();
      const { ms: sampledMs } = sampled({ ms: reading.sampledMs });
      return [
        ...reading.identities.flatMap((identity, number) => {
          const node = nodes[number];
          return node ? identitySamples(number, identity, components, sampledMs, identityTags(node)) : [];
        }),
        // Of the machine, so written once.
        pressureSample("node", nodePressure(pressureOf(reading.node))),
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
      const moved = (kind: "read" | "write") =>
        now.identities.reduce((total, { storage }) => total + storage[kind], 0n);
      return Object.fromEntries([
        ...counters,
        ["storage_read_bytes", moved("read")],
        ["storage_write_bytes", moved("write")],
      ]);
    },
  };
}

function trackIdentity(reading: IdentityReading, schema: Schema): IdentityTrackers {
  return {
    storage: trackCumulative(storageOf(reading)),
    pressure: trackCumulative(pressureOf(reading.pressure)),
    latency: trackLatency(schema, reading.timed),
    hints: new Map(
      Object.entries(reading.hints).map(([advice, values]) => [advice, trackCumulative(values)]),
    ),
  };
}

/** The same numbers before anything was counted; what the kernel's files have begins with the first look. */
function nothingYet({ pressure, hints, timed }: IdentityReading): IdentityReading {
  const zeroes = (counters: Readonly<Record<string, bigint>>) =>
    Object.fromEntries(Object.keys(counters).map((name) => [name, 0n]));
  return {
    pressure: { ...pressure, counted: zeroes(pressure.counted) },
    hints: Object.fromEntries(Object.entries(hints).map(([advice, counters]) => [advice, zeroes(counters)])),
    storage: { read: 0n, write: 0n },
    timed: Object.fromEntries(
      Object.entries(timed).map(([outcome, { buckets }]) => [
        outcome,
        { buckets: buckets.map(() => 0n), sumNs: 0n },
      ]),
    ),
  };
}

/** The same numbers when all began to count. */
function zeroed<T>(reading: T): T {
  if (typeof reading === "bigint") return 0n as T;
  if (reading instanceof BigUint64Array) return new BigUint64Array(reading.length) as T;
  if (Array.isArray(reading)) return reading.map(zeroed) as T;
  if (typeof reading !== "object" || reading === null) return reading;
  return Object.fromEntries(Object.entries(reading).map(([name, value]) => [name, zeroed(value)])) as T;
}

function storageOf({ storage }: IdentityReading): Cumulative {
  return { storage_read_bytes: storage.read, storage_write_bytes: storage.write };
}

/** Pressure numbers that no program counts. */
const FROM_FILES: ReadonlySet<string> = new Set(["refaults", "psi_some_us", "psi_full_us"]);

function pressureOf({ counted, files }: PressureReading): Cumulative {
  const { reclaim_stall_ns: stallNs = 0n, ...counters } = counted;
  return {
    ...counters,
    // Whole microseconds of the cumulative time, so that nothing is lost to rounding.
    reclaim_stall_us: stallNs / 1000n,
    refaults: files.refaults,
    psi_some_us: files.psiSomeUs,
    psi_full_us: files.psiFullUs,
  };
}
