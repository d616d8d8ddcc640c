/** What outlives the process that loaded it: counting goes on, is taken over, is replaced, and is removed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import type { NativeAddon, NativePins, NativeProbe } from "../../src/kernel/addon.js";
import { kernelObjects, mountBpfFs, pretendOther, type BpfFs } from "../support/bpf-fs.js";
import {
  difference,
  openProbe,
  readCounts,
  requireReads,
  undisturbed,
  type Counts,
} from "../support/kernel.js";
import { makeFile, startReader, type ReaderOptions } from "../support/reader.js";
import { waitFor } from "../support/wait.js";

const CHILD = fileURLToPath(new URL("../support/pinned-probe.js", import.meta.url));
const MINUTE_NS = 60_000_000_000n;
const OPTIONS: ReaderOptions = { pattern: "unaligned", bytes: 65_536, ops: 2000 };

describe("pins", function () {
  this.timeout(300_000);
  let addon: NativeAddon;
  let fs: BpfFs;
  let file: ReturnType<typeof makeFile>;
  let path: string;
  let count = 0;
  const open: { close(): void }[] = [];

  before(() => {
    addon = requireReads();
    fs = mountBpfFs();
    file = makeFile(16 << 20);
  });
  after(() => {
    file.remove();
    fs.remove();
  });
  beforeEach(() => {
    path = `${fs.path}/test_${count++}`;
  });
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
    const pins = addon.openPins(path);
    pins.unload();
    pins.close();
  });

  function opened(): { pins: NativePins; probe: NativeProbe } {
    const pins = addon.openPins(path);
    const probe = openProbe(addon, pins);
    open.push(pins, probe);
    return { pins, probe };
  }

  function closeAll(): void {
    for (const one of open.splice(0)) one.close();
  }

  /** Counts in a process that is then killed. */
  async function countAndDie(tgid: number): Promise<void> {
    const child = spawn(process.execPath, [CHILD, path, String(tgid)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  const compared = (counts: Counts): Record<string, number | undefined> => ({
    reads: counts["reads"],
    reads_missed: counts["reads_missed"],
    pages_requested: counts["pages_requested"],
    pages_missed: counts["pages_missed"],
    read_bytes: counts["read_bytes"],
  });

  it("count on when the process that loaded them was killed, and are taken over as they are", async () => {
    let truth: Counts = {};
    const counts = await undisturbed(async () => {
      const reader = await startReader(file.path, OPTIONS);
      await countAndDie(reader.pid);
      const before = readCounts(addon, opened().probe);
      closeAll();
      // Nobody is there.
      const { reads, reads_missed, pages_requested, pages_missed, read_bytes } = await reader.run();
      truth = { reads, reads_missed, pages_requested, pages_missed, read_bytes };
      const now = readCounts(addon, opened().probe);
      closeAll();
      await reader.end();
      return difference(now, before);
    });
    expect(compared(counts)).to.deep.equal(truth);
  });

  it("are replaced by programs of another build, in the middle of reads", async () => {
    const reader = await startReader(file.path, { ...OPTIONS, ops: 20_000 });
    await countAndDie(reader.pid);
    const before = readCounts(addon, opened().probe);
    const generations = new Set<string>();
    closeAll();
    const run = reader.run();
    let replaced = 0;
    while (replaced < 4) {
      pretendOther("build", path);
      opened();
      closeAll();
      replaced++;
      generations.add(readdirSync(path).find((name) => name.startsWith("link_on_delete_")) ?? "none");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { reads } = await run;
    await reader.end();
    const counted = difference(readCounts(addon, opened().probe), before);
    expect(generations.size).to.equal(replaced);
    expect(replaced).to.be.greaterThan(0);
    // At most one event per CPU is seen twice at each.
    expect(counted["reads"]).to.be.within(reads, reads + replaced * addon.probeFeatures().possibleCpus);
    expect(readdirSync(path).filter((name) => name.startsWith("link_on_delete_"))).to.have.length(1);
  });

  it("are refused where the maps mean something else", () => {
    opened();
    closeAll();
    pretendOther("layout", path);
    const pins = addon.openPins(path);
    open.push(pins);
    expect(() => openProbe(addon, pins)).to.throw("another layout");
    // Their values can still be had.
    const bytes = pins.readArray("counters");
    expect(bytes.length).to.be.greaterThan(0);
    pins.endCounting();
    expect(readdirSync(path).filter((name) => /^(link|prog)_/.test(name))).to.deep.equal([]);
    expect(pins.readArray("counters").length).to.equal(bytes.length);
    expect(pins.readArray("no_such_map").length).to.equal(0);
    pins.clear();
    expect(readdirSync(path)).to.deep.equal(["journal"]);
    const probe = openProbe(addon, pins);
    open.push(probe);
    expect(probe.programs.some(({ pinned }) => pinned)).to.equal(true);
  });

  it("stop counting when nobody has read them for long, and say how long that was", async () => {
    const { probe } = opened();
    const reader = await startReader(file.path, { ...OPTIONS, ops: 300 });
    probe.setTargets([reader.pid]);
    probe.keepAlive(0n);
    // The clock is looked at once a second at most.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await reader.run();
    const orphaned = readCounts(addon, probe)["reads"] ?? 0;
    expect(orphaned).to.be.at.most(1);
    closeAll();
    const again = opened().probe;
    expect(Number(again.orphanedNs) / 1e9).to.be.within(1.5, 60);
    again.keepAlive(MINUTE_NS);
    again.setTargets([reader.pid]);
    await reader.end();
    const next = await startReader(file.path, { ...OPTIONS, ops: 300 });
    again.setTargets([next.pid]);
    const { reads } = await next.run();
    await next.end();
    expect(readCounts(addon, again)["reads"]).to.equal(orphaned + reads);
  });

  it("are locked: a second process is told who has them", async () => {
    const child = spawn(process.execPath, [CHILD, path], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    expect(() => addon.openPins(path))
      .to.throw(`pid ${child.pid}`)
      .with.property("code", "EBUSY");
    child.kill("SIGKILL");
    await once(child, "exit");
    open.push(addon.openPins(path));
  });

  it("are refused, and not touched, where something in the directory is not the sidecar's", () => {
    mkdirSync(`${path}/somebody_elses`, { recursive: true });
    expect(() => addon.openPins(path))
      .to.throw("somebody_elses")
      .with.property("code", "EEXIST");
    expect(readdirSync(path)).to.deep.equal(["somebody_elses"]);
    execFileSync("rmdir", [`${path}/somebody_elses`]);
  });

  it("are refused, and not touched, where what is named like the journal is none", () => {
    mkdirSync(path);
    const map = ["type", "array", "key", "4", "value", "8", "entries", "1", "name", "other"];
    execFileSync("bpftool", ["map", "create", `${path}/journal`, ...map]);
    expect(() => addon.openPins(path))
      .to.throw("nothing is removed")
      .with.property("code", "EBADMSG");
    expect(readdirSync(path)).to.deep.equal(["journal"]);
    execFileSync("rm", [`${path}/journal`]);
    execFileSync("bpftool", ["map", "create", `${path}/map_counters`, ...map]);
    expect(() => addon.openPins(path)).to.throw("there are pins without it");
    execFileSync("rm", [`${path}/map_counters`]);
  });

  it("need a file system for BPF", () => {
    expect(() => addon.openPins(`${tmpdir()}/no-bpf-here`))
      .to.throw("mount -t bpf")
      .with.property("code", "EOPNOTSUPP");
  });

  it("are begun anew where their making was interrupted", () => {
    const { pins } = opened();
    expect(pins.header.complete).to.equal(true);
    const { incarnation } = pins.header;
    closeAll();
    const interrupted = addon.openPins(path);
    interrupted.clear();
    interrupted.close();
    const again = opened();
    expect(again.pins.header.complete).to.equal(true);
    expect(again.pins.header.incarnation > incarnation).to.equal(true);
  });

  it("leave nothing in the kernel when they are unloaded", async () => {
    const before = new Set(kernelObjects());
    await countAndDie(process.pid);
    const made = kernelObjects().filter((object) => !before.has(object));
    expect(made.length).to.be.greaterThan(10);
    const pins = addon.openPins(path);
    pins.unload();
    pins.close();
    expect(readdirSync(fs.path).filter((name) => name.startsWith("test_"))).to.deep.equal([]);
    // The kernel frees them a little later. Other programs of the machine may make theirs meanwhile.
    const isFreed = () => {
      const now = new Set(kernelObjects());
      return !made.some((object) => now.has(object));
    };
    await waitFor("all is freed", isFreed, 10_000);
  });
});
