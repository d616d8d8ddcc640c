/** Opens what counts: the kernel side, and where counts shall outlive this process the pins and the journal. */
import { createCollector, type Collector } from "./collect.js";
import { bucketsOf } from "./collect-latency.js";
import type { Config } from "./config/config.js";
import { packageRoot } from "./config/schema-files.js";
import { identityTags } from "./config/targets.js";
import { loadAddon, type NativeAddon, type NativePins } from "./kernel/addon.js";
import { KernelError } from "./kernel/errors.js";
import { openJournal, type Journal } from "./kernel/journal.js";
import { JournalDamageError } from "./kernel/journal-store.js";
import type { Kernel } from "./kernel/kernel.js";
import { isCompatible, type KernelMemory } from "./kernel/kernel-memory.js";
import { lastReading, memoryAfter } from "./kernel/last-reading.js";
import { ENDED_STORAGE, openKernel, type PinnedKernel } from "./kernel/open-kernel.js";
import { identitiesMax } from "./kernel/identities.js";
import type { Log } from "./model/log.js";
import { isTemplate } from "./model/identity.js";
import type { Schema } from "./model/measure.js";
import type { PinStatus } from "./model/status.js";
import { payOff } from "./model/debt.js";
import type { Sample } from "./model/tick.js";

export interface Counting {
  readonly kernel: Kernel;
  /** What was added since the previous call, or since the last tick of the process before. */
  advance(): readonly Sample[];
  totals(): ReturnType<Collector["totals"]>;
  readonly journal: Journal | undefined;
  /** Why nothing is pinned, though it should be. */
  readonly pinsRefused?: PinStatus;
  /** Gives back the memory that only the start needed. */
  releaseStartMemory(): void;
  close(): void;
}

export interface CountingOptions {
  readonly config: Config;
  /** Directory of a BPF file system; undefined: what is counted ends with this process. */
  readonly pinPath: string | undefined;
  readonly schema: Schema;
  readonly log: Log;
}

/** Answers to pinning that say that this host, or this user, has no place for pins. */
const NO_PLACE: ReadonlySet<string> = new Set([
  "EOPNOTSUPP",
  "EPERM",
  "EACCES",
  "ENOENT",
  "ENODEV",
  "EROFS",
  "EINVAL",
]);

/**
 * Opens it.
 * @throws KernelError where nothing can be measured, and where pins are another process's, foreign or damaged
 */
export function openCounting(options: CountingOptions): Counting {
  const { config, pinPath, schema, log } = options;
  const addon = loadAddon(packageRoot());
  const { kernel } = config;
  let pinsRefused: PinStatus | undefined;
  if (pinPath !== undefined && kernel.tier !== "procfs") {
    try {
      return openPinned(addon, pinPath, options);
    } catch (error) {
      const { code, message, operation } = KernelError.from(error, "open", `pin directory ${pinPath}`);
      if (!PIN_OPERATIONS.has(operation) || !NO_PLACE.has(code)) throw error;
      pinsRefused = { path: pinPath, reason: message, notPinned: [], gapMs: 0 };
      log.warn("nothing is pinned: what is counted while the sidecar is away is lost", { reason: message });
    }
  }
  const opened = openKernel(addon, config, log);
  const collector = createCollector(opened, schema, "now");
  const withBuckets = bucketsOf(schema);
  return {
    kernel: opened,
    advance: () => withBuckets(collector.advance()),
    totals: () => collector.totals(),
    journal: undefined,
    ...(pinsRefused && { pinsRefused }),
    releaseStartMemory: () => {
      addon.releaseStartMemory();
    },
    close() {
      opened.close();
    },
  };
}

/** What is done to pins, as errors name it. */
const PIN_OPERATIONS: ReadonlySet<string> = new Set(["examine", "use", "make", "open", "pin", "lock"]);

function openPinned(addon: NativeAddon, path: string, { config, schema, log }: CountingOptions): Counting {
  const pins = addon.openPins(path);
  try {
    const journal = journalOf(addon, pins, path, config, schema);
    const { targets, kernel: wanted } = config;
    const { orphanTimeoutMs } = wanted;
    const memory = memoryOf({ addon, pins, journal, config, schema, log });
    const save = (): void => {
      journal.save();
    };
    const pinned: PinnedKernel = { path, pins, memory, save, orphanTimeoutMs };
    const kernel = openKernel(addon, { targets, kernel: wanted, pinned }, log);
    journal.adopt(pins.header.incarnation);
    journal.describeKernel(() => kernel.memory());
    tellStart(kernel, journal, log);
    const pay = payOff(journal.taken());
    const collector = createCollector(kernel, schema, "ever");
    const withBuckets = bucketsOf(schema);
    return {
      kernel,
      advance: () => withBuckets(pay(collector.advance())),
      totals: () => collector.totals(),
      journal,
      releaseStartMemory: () => {
        addon.releaseStartMemory();
      },
      close() {
        kernel.close();
        pins.close();
      },
    };
  } catch (error) {
    pins.close();
    throw error;
  }
}

function tellStart(kernel: Kernel, journal: Journal, log: Log): void {
  const { resumption } = journal;
  const { path, gapMs = 0, notPinned = [] } = kernel.status().pins ?? {};
  if (resumption)
    log.info("counting goes on", { pin_path: path, to_be_sent_again: resumption.unsettled.length });
  if (gapMs > 0)
    log.warn("nothing was counted before the start, for no sidecar was there", { for_ms: gapMs });
  if (notPinned.length > 0)
    log.warn("some probes count nothing while the sidecar is away", { probes: notPinned });
}

function journalOf(
  addon: NativeAddon,
  pins: NativePins,
  path: string,
  config: Config,
  schema: Schema,
): Journal {
  const memory = {
    areaBytes: addon.journalAreaBytes,
    read: (area: number, offset: number, length: number) => pins.readJournal(area, offset, length),
    write: (area: number, offset: number, bytes: Uint8Array) => {
      pins.writeJournal(area, offset, bytes);
    },
    sequence: () => pins.header.sequence,
    activate: (sequence: bigint) => {
      pins.switchJournal(sequence);
    },
  };
  try {
    return openJournal(memory, schema, identityTags(config.node));
  } catch (error) {
    if (!(error instanceof JournalDamageError)) throw error;
    throw new KernelError({
      message:
        `read pin ${path}/journal failed: ${error.message}; nothing is removed: to give up what was not delivered, ` +
        `run banyandb-ebpf-sidecar unload --pin-path ${path}`,
      code: "EBADMSG",
      operation: "read",
      object: `pin ${path}/journal`,
      cause: error,
    });
  }
}

interface PinnedParts {
  readonly addon: NativeAddon;
  readonly pins: NativePins;
  readonly journal: Journal;
  readonly config: Config;
  readonly schema: Schema;
  readonly log: Log;
}

/** What is known of the pinned counters; where they cannot go on, the new ones take over what was left of them. */
function memoryOf(parts: PinnedParts): KernelMemory | undefined {
  const { addon, pins, journal, config, log } = parts;
  const { header } = pins;
  const { incarnation, kernel } = journal.facts();
  const memory = kernel as KernelMemory | undefined;
  const isKnown = header.complete && memory && incarnation === String(header.incarnation);
  if (isKnown && header.layout === addon.layout() && fits(memory, addon, config)) return memory;
  if (isKnown) {
    log.info("what is counted changes: the last counts of the old programs are kept");
    retire(parts, memory);
  }
  pins.clear();
  // Before there were maps, or after the old ones were read for the last time.
  return incarnation === "0" || isKnown ? (journal.facts().kernel as KernelMemory | undefined) : undefined;
}

function fits(memory: KernelMemory, addon: NativeAddon, { targets }: Config): boolean {
  const configured = targets.map(({ node }) => node.id).filter((id) => !isTemplate(id));
  return isCompatible(memory, identitiesMax(targets, addon.identitiesMax), configured, addon.identitiesMax);
}

/** Ends the counting, and keeps what was counted and not yet taken. */
function retire({ pins, journal, schema }: PinnedParts, memory: KernelMemory): void {
  pins.endCounting();
  const last = lastReading(pins, memory);
  const left = payOff(journal.taken())(createCollector(last, schema, "ever").advance());
  const { names } = last.layout;
  const { counters } = last.read();
  const ended = (identity: number, name: string) =>
    BigInt.asIntN(64, counters[identity * names.length + names.indexOf(name)] ?? 0n);
  journal.retire(
    left,
    memoryAfter(memory, (identity) => ({
      read: ended(identity, ENDED_STORAGE.read),
      write: ended(identity, ENDED_STORAGE.write),
    })),
  );
}
