import { copyFileSync, unlinkSync } from "node:fs";
import { basename } from "node:path";
import { expect } from "chai";
import type { TargetConfig } from "../../src/config/config.js";
import type { Kernel } from "../../src/kernel/kernel.js";
import type { Log } from "../../src/model/log.js";
import { openTestedKernel, watched } from "../support/kernel.js";
import { makeFile, readerBinary, startReader, type ReaderOptions } from "../support/reader.js";

/** No directories of a BanyanDB: the default is /tmp, where those of another one may be. */
const NO_DIRECTORIES = ["measure", "stream", "trace", "property", "schema-server"].map(
  (kind) => `--${kind}-root-path=/nonexistent`,
);
const OPTIONS: ReaderOptions = {
  pattern: "random",
  bytes: 4096,
  ops: 500,
  call: "pread",
  flags: NO_DIRECTORIES,
};

/** A log that keeps its messages. */
function recordingLog(): { log: Log; messages: string[] } {
  const messages: string[] = [];
  const record = (message: string) => {
    messages.push(message);
  };
  const throttled = (_cause: string, message: string) => {
    messages.push(message);
  };
  return { log: { debug: record, info: record, warn: record, error: record, throttled }, messages };
}

describe("target", function () {
  this.timeout(300_000);
  let file: ReturnType<typeof makeFile>;
  let kernel: Kernel | undefined;
  /** A reader by whose name nobody else's is known. */
  const program = `/var/tmp/reader-${process.pid}`;

  before(() => {
    file = makeFile(16 << 20);
    copyFileSync(readerBinary(), program);
  });
  afterEach(() => {
    kernel?.close();
  });
  after(() => {
    file.remove();
    unlinkSync(program);
  });

  function watching(target: Partial<TargetConfig>): { kernel: Kernel; messages: string[] } {
    const { log, messages } = recordingLog();
    kernel = openTestedKernel([watched(target)], log);
    return { kernel, messages };
  }

  const readsOf = (from: Kernel) => Number(from.read().counters[from.layout.names.indexOf("reads")]);
  const storageOf = (from: Kernel) => from.read().identities[0]?.storage.read ?? 0n;

  it("is looked for again where a process executed or ended", async () => {
    const opened = watching({ command: `${readerBinary()} ${file.path}` });
    const look = () => {
      opened.kernel.followChanges();
      return opened.kernel.status().targets.map(({ pid }) => pid);
    };
    // What follows a change, and then none for ten seconds but for one.
    for (let i = 0; i < 3; i++) expect(look()).to.deep.equal([]);
    const reader = await startReader(file.path, OPTIONS);
    expect(look()).to.deep.equal([reader.pid]);
    for (let i = 0; i < 3; i++) expect(look()).to.deep.equal([reader.pid]);
    await reader.end();
    expect(look()).to.deep.equal([]);
  });

  it("is waited for, and each of its lives adds to the counts", async () => {
    const opened = watching({ command: `${readerBinary()} ${file.path}` });
    opened.kernel.follow();
    opened.kernel.follow();
    expect(opened.kernel.status().targets).to.deep.equal([]);
    for (let life = 1; life <= 3; life++) {
      const reader = await startReader(file.path, OPTIONS);
      opened.kernel.follow();
      expect(opened.kernel.status().targets.map(({ pid }) => pid)).to.deep.equal([reader.pid]);
      await reader.run();
      await reader.end();
      opened.kernel.follow();
      expect(opened.kernel.status().targets).to.deep.equal([]);
    }
    expect(readsOf(opened.kernel)).to.equal(3 * OPTIONS.ops);
    const lives = Array.from({ length: 3 }, () => [
      "target process found",
      "target process is gone",
      "no target process is running; waiting for one",
    ]).flat();
    // A BanyanDB that runs here with default flags has its directories where the reader's would be.
    const messages = opened.messages.filter((message) => message !== "target directories found");
    expect(messages).to.deep.equal(["no target process is running; waiting for one", ...lives]);
  });

  it("is counted from its execve on where it is known by name, though nobody looks for it meanwhile", async () => {
    const opened = watching({ name: basename(program) });
    opened.kernel.follow();
    const counts: number[] = [];
    for (let life = 0; life < 3; life++) {
      const before = readsOf(opened.kernel);
      const reader = await startReader(file.path, OPTIONS, { program });
      await reader.run();
      await reader.end();
      counts.push(readsOf(opened.kernel) - before);
    }
    // The dynamic loader reads the headers of the libraries before main.
    const [first = 0, ...others] = counts;
    expect(first).to.be.greaterThan(OPTIONS.ops);
    expect(others).to.deep.equal([first, first]);
  });

  /** Storage bytes of two lives, one of which nobody saw: as counted, and as the processes have them of their reads. */
  async function storageOfTwoLives(): Promise<{ counted: number; truth: number }> {
    const opened = watching({ name: basename(program) });
    opened.kernel.follow();
    const before = storageOf(opened.kernel);
    const reader = await startReader(file.path, OPTIONS, { program });
    opened.kernel.follow();
    const truth = await reader.run();
    const seen = storageOf(opened.kernel) - before;
    await reader.end();
    expect(storageOf(opened.kernel) - before).to.equal(seen);
    const unseen = await startReader(file.path, OPTIONS, { program });
    const truthUnseen = await unseen.run();
    await unseen.end();
    const counted = Number(storageOf(opened.kernel) - before);
    opened.kernel.close();
    expect(truth.storage_read_bytes).to.be.greaterThan(0);
    return { counted, truth: truth.storage_read_bytes + truthUnseen.storage_read_bytes };
  }

  it("moves what /proc/PID/io says from and to storage, also of a life that nobody saw", async () => {
    // Its program may have left the memory, and is fetched before it reads anything: then once more.
    for (let attempt = 1; ; attempt++) {
      const { counted, truth } = await storageOfTwoLives();
      if (counted > truth && attempt < 5) continue;
      expect(counted).to.equal(truth);
      return;
    }
  });

  it("may be several processes, by their command line", async () => {
    const opened = watching({ command: `${readerBinary()} ${file.path}` });
    const readers = await Promise.all([1, 2, 3].map((seed) => startReader(file.path, { ...OPTIONS, seed })));
    opened.kernel.follow();
    expect(opened.kernel.status().targets).to.have.length(3);
    await Promise.all(readers.map((reader) => reader.run()));
    await Promise.all(readers.map((reader) => reader.end()));
    const { eventsMissed } = opened.kernel.status();
    expect({ reads: readsOf(opened.kernel), eventsMissed }).to.deep.equal({
      reads: 3 * OPTIONS.ops,
      eventsMissed: 0,
    });
  });

  it("is one process only where its pid is given", async () => {
    const [one, other] = [await startReader(file.path, OPTIONS), await startReader(file.path, OPTIONS)];
    const opened = watching({ pid: one.pid });
    opened.kernel.follow();
    await Promise.all([one.run(), other.run()]);
    await Promise.all([one.end(), other.end()]);
    expect(readsOf(opened.kernel)).to.equal(OPTIONS.ops);
  });
});
