/** Several targets at once: each one's numbers are its own, whoever evicts its files and whenever it starts. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { createCollector, type Collector } from "../../src/collect.js";
import type { WatchedTarget } from "../../src/config/config.js";
import { readSchema } from "../../src/config/schema-files.js";
import type { Kernel } from "../../src/kernel/kernel.js";
import { fieldValues, type Sample } from "../../src/model/tick.js";
import { openTestedKernel, undisturbed, watched } from "../support/kernel.js";
import { makeFile, readerBinary, startReader, type Reader, type ReaderOptions } from "../support/reader.js";
import { SILENT } from "../support/silent-log.js";

const FILE_BYTES = 8 << 20;
const FILE_PAGES = FILE_BYTES / 4096;
const READS: ReaderOptions = { pattern: "random", bytes: 4096, ops: 400, call: "pread" };

/** Values of page_cache of one identity. */
function totalOf(samples: readonly Sample[], nodeId: string): Record<string, number> {
  const sample = samples.find(
    ({ measure, identity }) => measure.name === "page_cache" && identity?.[0] === nodeId,
  );
  if (!sample) throw new Error(`there is no sample of ${nodeId}`);
  const values = fieldValues(sample, 1000);
  return Object.fromEntries(sample.measure.fields.map(({ name }, i) => [name, values[i] ?? 0]));
}

/** A cgroup of the hierarchy that the memory controller is in. */
function makeCgroup(name: string): { readonly path: string; readonly folder: string; remove(): void } {
  const root = existsSync("/sys/fs/cgroup/cgroup.controllers") ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
  const path = `/banyandb-ebpf-sidecar-test-${process.pid}-${name}`;
  mkdirSync(`${root}${path}`);
  return {
    path,
    folder: `${root}${path}`,
    remove: () => {
      rmdirSync(`${root}${path}`);
    },
  };
}

describe("several targets", function () {
  this.timeout(300_000);
  let kernel: Kernel | undefined;
  let files: ReturnType<typeof makeFile>[];

  beforeEach(() => {
    files = [makeFile(FILE_BYTES), makeFile(FILE_BYTES)];
  });
  afterEach(() => {
    kernel?.close();
    kernel = undefined;
    for (const { path } of files) if (existsSync(path)) unlinkSync(path);
  });

  const pathOf = (i: number) => files[i]?.path ?? "";

  function watch(targets: readonly WatchedTarget[]): { kernel: Kernel; collector: Collector } {
    kernel?.close();
    kernel = openTestedKernel(targets, SILENT);
    return { kernel, collector: createCollector(kernel, readSchema(), "now") };
  }

  async function withReaders(
    start: () => Promise<Reader[]>,
    use: (readers: readonly Reader[]) => Promise<void>,
  ): Promise<void> {
    const readers = await start();
    try {
      await use(readers);
    } finally {
      await Promise.all(readers.map((reader) => reader.end()));
    }
  }

  it("are counted each to its own truth, and evictions by others under the one whose file it is", async () => {
    await undisturbed(async () => {
      let foreign = 0;
      await withReaders(
        () =>
          Promise.all([
            startReader(pathOf(0), READS),
            startReader(pathOf(1), { ...READS, ops: 700, seed: 5 }),
          ]),
        async (readers) => {
          const ids = ["a", "b"];
          const { kernel: opened, collector } = watch(
            readers.map(({ pid }, i) => watched({ pid }, ids[i] ?? "")),
          );
          opened.follow();
          collector.advance();
          const truths = await Promise.all(readers.map((reader) => reader.run()));
          const samples = collector.advance();
          const before = ids.map((id) => totalOf(samples, id));
          foreign = before.reduce((sum, total) => sum + (total["pages_evicted_reclaim"] ?? 0), 0);
          if (foreign > 0) return;
          truths.forEach((truth, i) => {
            for (const name of ["reads", "reads_missed", "pages_requested", "pages_missed"] as const)
              expect(before[i]?.[name], `${name} of ${ids[i] ?? ""}`).to.equal(truth[name]);
          });
          // Files of no component, dropped and removed by processes that nobody watches.
          execFileSync("dd", [`if=${pathOf(0)}`, "iflag=nocache", "count=0", "status=none"]);
          const cached = (before[1]?.["pages_added"] ?? 0) - (before[1]?.["pages_evicted"] ?? 0);
          unlinkSync(pathOf(1));
          await readers[1]?.end();
          const after = collector.advance();
          const [a, b] = ids.map((id) => totalOf(after, id));
          expect(a?.["pages_evicted_hint"]).to.be.within(1, FILE_PAGES);
          expect([a?.["pages_evicted_truncate"], b?.["pages_evicted_hint"]]).to.deep.equal([0, 0]);
          expect(b?.["pages_evicted_truncate"]).to.be.within(cached, FILE_PAGES);
        },
      );
      return { pages_evicted_foreign: foreign };
    });
  });

  it("of one executable are told apart by their cgroup at the execve, in each of their lives", async () => {
    const cgroups = [makeCgroup("a"), makeCgroup("b")];
    const ops = [300, 500];
    try {
      const { kernel: opened, collector } = watch(
        cgroups.map(({ path }, i) => watched({ cgroup: path }, `node-${i}`)),
      );
      opened.follow();
      collector.advance();
      const extra: number[] = [];
      for (let life = 0; life < 3; life++) {
        // Nobody looks meanwhile: what is not counted from the execve on would be lost.
        const start = () =>
          Promise.all(
            cgroups.map(({ folder }, i) =>
              startReader(pathOf(i), { ...READS, ops: ops[i] ?? 0 }, { cgroup: folder }),
            ),
          );
        await withReaders(start, async (readers) => {
          await Promise.all(readers.map((reader) => reader.run()));
        });
        const samples = collector.advance();
        for (const i of [0, 1]) extra.push((totalOf(samples, `node-${i}`)["reads"] ?? 0) - (ops[i] ?? 0));
      }
      // The dynamic loader reads the headers of the libraries before main, in each life the same.
      expect(extra[0]).to.be.greaterThan(0);
      expect(extra).to.deep.equal(extra.map(() => extra[0]));
    } finally {
      for (const cgroup of cgroups) cgroup.remove();
    }
  });

  it("come from one selector where the host name is in the node id", async () => {
    const { kernel: opened, collector } = watch([watched({ command: readerBinary() }, "{hostname}:17912")]);
    opened.follow();
    collector.advance();
    await withReaders(
      () => Promise.all(["pod-0", "pod-1"].map((hostName, i) => startReader(pathOf(i), READS, { hostName }))),
      async (readers) => {
        opened.follow();
        const truths = await Promise.all(readers.map((reader) => reader.run()));
        const samples = collector.advance();
        expect(
          opened
            .identities()
            .map(({ id }) => id)
            .sort(),
        ).to.deep.equal(["pod-0:17912", "pod-1:17912"]);
        truths.forEach((truth, i) => {
          expect(totalOf(samples, `pod-${i}:17912`)["reads"]).to.equal(truth.reads);
        });
      },
    );
  });

  it("that are cgroups hold all processes in them and below", async () => {
    const cgroup = makeCgroup("above");
    const below = `${cgroup.folder}/below`;
    mkdirSync(below);
    try {
      const { kernel: opened, collector } = watch([watched({ cgroup: `${cgroup.path.slice(0, -2)}*` }, "a")]);
      await withReaders(
        () => Promise.all([startReader(pathOf(0), READS), startReader(pathOf(1), READS)]),
        async (readers) => {
          writeFileSync(`${below}/cgroup.procs`, String(readers[0]?.pid));
          opened.follow();
          collector.advance();
          await Promise.all(readers.map((reader) => reader.run()));
          expect(totalOf(collector.advance(), "a")["reads"]).to.equal(READS.ops);
        },
      );
    } finally {
      rmdirSync(below);
      cgroup.remove();
    }
  });
});
