/** Memory pressure on a target at the limit of its cgroup, against what the kernel's own files say of that cgroup. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import type { Kernel } from "../../src/kernel/kernel.js";
import { evictedByOthers, openTestedKernel, watched } from "../support/kernel.js";
import { makeFile, startReader } from "../support/reader.js";
import { collectRows, type Rows } from "../support/rows.js";
import { SILENT } from "../support/silent-log.js";

const MIB = 1 << 20;
const LIMIT_BYTES = 32 * MIB;
const FILE_BYTES = 96 * MIB;
/** The totals of PSI move every two seconds (kernel/sched/psi.c, PSI_FREQ). */
const PSI_PERIOD_MS = 2100;
const VERSION_1 = "/sys/fs/cgroup/memory";

/** Number behind a word of a file of the kernel; 0 where there is no such word. */
function numberIn(path: string, word: string): number {
  const [, digits = "0"] = new RegExp(`\\b${word}[ =](\\d+)`).exec(readFileSync(path, "utf8")) ?? [];
  return Number(digits);
}

/** Numbers that only grow, of a cgroup of version 2. */
interface CgroupNumbers {
  readonly limitHits: number;
  readonly scanned: number;
  readonly reclaimed: number;
  readonly refaults: number;
}

/** Microseconds in which some task, or all of them, waited for memory. */
interface Waited {
  readonly some: number;
  readonly full: number;
}

interface LimitedCgroup {
  add(pid: number): void;
  /** Undefined in version 1, which has no such numbers. */
  numbers(): CgroupNumbers | undefined;
  /** Charges that did not fit, in version 1. */
  failedCharges(): number | undefined;
  /** Undefined in version 1. */
  waitedUs(): Waited | undefined;
  remove(): void;
}

/** With a memory limit, of whichever version this machine has. */
function limitedCgroup(): LimitedCgroup {
  const isFirst = existsSync(`${VERSION_1}/memory.limit_in_bytes`);
  const folder = isFirst ? VERSION_1 : "/sys/fs/cgroup";
  if (!isFirst) writeFileSync(`${folder}/cgroup.subtree_control`, "+memory");
  const path = `${folder}/banyandb-ebpf-sidecar-test-${process.pid}`;
  mkdirSync(path);
  writeFileSync(`${path}/${isFirst ? "memory.limit_in_bytes" : "memory.max"}`, String(LIMIT_BYTES));
  return {
    add: (pid) => {
      writeFileSync(`${path}/cgroup.procs`, String(pid));
    },
    numbers: () =>
      isFirst
        ? undefined
        : {
            limitHits: numberIn(`${path}/memory.events`, "max"),
            scanned: numberIn(`${path}/memory.stat`, "pgscan"),
            reclaimed: numberIn(`${path}/memory.stat`, "pgsteal"),
            refaults: numberIn(`${path}/memory.stat`, "workingset_refault_file"),
          },
    failedCharges: () => (isFirst ? Number(readFileSync(`${path}/memory.failcnt`, "utf8")) : undefined),
    waitedUs: () =>
      isFirst
        ? undefined
        : {
            some: numberIn(`${path}/memory.pressure`, "some.*total"),
            full: numberIn(`${path}/memory.pressure`, "full.*total"),
          },
    remove: () => {
      rmdirSync(path);
    },
  };
}

describe("memory pressure on a target at the limit of its cgroup", function () {
  this.timeout(300_000);
  let kernel: Kernel | undefined;
  afterEach(() => {
    kernel?.close();
    kernel = undefined;
  });

  /** Counters of all components, since the kernel side was opened. */
  function countsOf(opened: Kernel): Record<string, number> {
    const { names } = opened.layout;
    const sums: Record<string, number> = {};
    opened.read().counters.forEach((value, i) => {
      const name = names[i % names.length] ?? "";
      sums[name] = (sums[name] ?? 0) + Number(value);
    });
    return sums;
  }

  it("is what the kernel says of the cgroup, and evicts exactly what its reclaim freed", async () => {
    const file = makeFile(FILE_BYTES);
    const cgroup = limitedCgroup();
    const reader = await startReader(file.path, { pattern: "sequential", bytes: 131072, ops: 1500 });
    let rows: Rows;
    let waited: readonly (Waited | undefined)[];
    let elapsedUs: number;
    let byOthers: number;
    let charges: number | undefined;
    let own: CgroupNumbers | undefined;
    try {
      cgroup.add(reader.pid);
      kernel = openTestedKernel([watched({ pid: reader.pid })], SILENT);
      kernel.follow();
      const take = collectRows(kernel);
      const before = cgroup.numbers();
      const first = cgroup.waitedUs();
      take();
      const second = cgroup.waitedUs();
      const begin = performance.now();
      await reader.run();
      if (first) await sleep(PSI_PERIOD_MS);
      const third = cgroup.waitedUs();
      rows = take();
      waited = [first, second, third, cgroup.waitedUs()];
      elapsedUs = (performance.now() - begin) * 1000;
      byOthers = evictedByOthers(countsOf(kernel));
      charges = cgroup.failedCharges();
      const after = cgroup.numbers();
      own = before &&
        after && {
          limitHits: after.limitHits - before.limitHits,
          scanned: after.scanned - before.scanned,
          reclaimed: after.reclaimed - before.reclaimed,
          refaults: after.refaults - before.refaults,
        };
    } finally {
      await reader.end();
      cgroup.remove();
      file.remove();
    }
    const target = rows.row("memory_pressure", "target");
    const node = rows.row("memory_pressure", "node");
    const { pages_evicted_reclaim: evicted = NaN } = rows.row("page_cache");
    const { pages_reclaimed = NaN, pages_scanned = NaN, reclaim_stall_us = NaN } = target;

    expect(target["memcg_reclaims"]).to.be.greaterThan(0);
    expect(target).to.include({ direct_reclaims: 0, direct_reclaim_tasks: 0 });
    expect(evicted).to.be.greaterThan((FILE_BYTES - LIMIT_BYTES) / 4096);
    // On a machine with a memory reclaimer of its own (kdamond) some of them are not the target's reclaim.
    expect(evicted - byOthers).to.equal(pages_reclaimed);
    expect(pages_scanned).to.be.at.least(pages_reclaimed);
    expect(target["reclaim_efficiency_percent"]).to.equal(
      Math.round((pages_reclaimed / pages_scanned) * 100_000) / 1000,
    );
    // PSI weighs the time of waiting by what each processor does, so it is no bound.
    expect(reclaim_stall_us).to.be.within(1, elapsedUs);
    if (charges !== undefined) expect(target["memcg_reclaims"]).to.be.at.most(charges);
    if (own) {
      expect(target).to.include({
        memcg_reclaims: own.limitHits,
        pages_scanned: own.scanned,
        pages_reclaimed: own.reclaimed,
        refaults: own.refaults,
      });
      for (const kind of ["some", "full"] as const) {
        // Before and after each of the two readings of the sidecar.
        const [first = NaN, second = NaN, third = NaN, fourth = NaN] = waited.map((one) => one?.[kind]);
        expect(third - second, kind).to.be.greaterThan(0);
        expect(target[`psi_${kind}_us`], kind).to.be.within(third - second, fourth - first);
      }
    }
    for (const name of ["memcg_reclaims", "pages_scanned", "pages_reclaimed"])
      expect(node[name], name).to.be.at.least(target[name] ?? Infinity);
  });
});
