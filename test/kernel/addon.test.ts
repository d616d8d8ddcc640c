import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import type { NativeAddon } from "../../src/kernel/addon.js";
import { openProbe, readCounts, requireReads } from "../support/kernel.js";
import { packageRoot } from "../support/package-root.js";
import { makeFile, startReader } from "../support/reader.js";

const ADDON = `${packageRoot}/build/sidecar.node`;

type Kind = "prog" | "map" | "link";

interface Held {
  readonly kind: Kind;
  readonly id: number;
}

/** Programs, maps and links that this process holds, by the kernel's own list of its descriptors. */
function heldIds(): Held[] {
  return readdirSync("/proc/self/fdinfo").flatMap((fd) => {
    const match = /^(prog|map|link)_id:\s+(\d+)$/m.exec(fdinfo(fd));
    return match ? [{ kind: match[1] as Kind, id: Number(match[2]) }] : [];
  });
}

function fdinfo(fd: string): string {
  try {
    return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
  } catch {
    // The descriptor of the listing itself is closed again.
    return "";
  }
}

/** Those of them that the kernel still has, by bpftool. */
function existing(held: readonly Held[]): Held[] {
  const ids = (kind: Kind) => {
    const text = execFileSync("bpftool", ["--json", kind, "show"], { encoding: "utf8" });
    return (JSON.parse(text) as { id: number }[]).map(({ id }) => id);
  };
  const present = { prog: ids("prog"), map: ids("map"), link: ids("link") };
  return held.filter(({ kind, id }) => present[kind].includes(id));
}

interface DumpedEntry {
  readonly formatted?: { readonly value: { readonly value: readonly number[] } };
}

function nameOfMap(id: number): string | undefined {
  const text = execFileSync("bpftool", ["--json", "map", "show", "id", String(id)], { encoding: "utf8" });
  return (JSON.parse(text) as { name?: string }).name;
}

/** Sums of the counter map of this process, by bpftool instead of our code. */
function dumpCounters(names: readonly string[]): Record<string, number> {
  const own = heldIds().find(({ kind, id }) => kind === "map" && nameOfMap(id) === "counters");
  if (!own) throw new Error("this process holds no map counters");
  const dump = execFileSync("bpftool", ["--json", "map", "dump", "id", String(own.id)], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const sums = new Map(names.map((name) => [name, 0]));
  for (const { formatted } of JSON.parse(dump) as DumpedEntry[]) {
    names.forEach((name, i) => sums.set(name, (sums.get(name) ?? 0) + (formatted?.value.value[i] ?? 0)));
  }
  return Object.fromEntries(sums);
}

describe("addon", function () {
  this.timeout(300_000);
  let addon: NativeAddon;

  before(() => {
    addon = requireReads();
  });

  it("reads the same counters as bpftool", async () => {
    const probe = openProbe(addon);
    const file = makeFile(4 << 20);
    const reader = await startReader(file.path, { pattern: "unaligned", bytes: 65536, ops: 300 });
    try {
      probe.setTargets([reader.pid]);
      const { reads } = await reader.run();
      await reader.end();
      file.remove();
      const counts = readCounts(addon, probe);
      expect(counts["reads"]).to.equal(reads);
      expect(counts["pages_evicted_truncate"]).to.be.greaterThan(0);
      expect(counts).to.deep.equal(dumpCounters(addon.counterNames));
    } finally {
      probe.close();
    }
  });

  it("leaves no program, map or link behind when it is closed", async () => {
    const probe = openProbe(addon);
    const held = heldIds();
    expect(new Set(held.map(({ kind }) => kind))).to.deep.equal(new Set(["prog", "map", "link"]));
    expect(existing(held)).to.deep.equal(held);
    probe.close();
    expect(heldIds()).to.deep.equal([]);
    await expectSoon(() => existing(held), []);
  });

  it("closes and detaches any number of times, and says so when it is used afterwards", () => {
    const probe = openProbe(addon);
    probe.detach();
    probe.detach();
    expect(readCounts(addon, probe)["reads"]).to.equal(0);
    probe.close();
    probe.close();
    probe.detach();
    expect(() => probe.stats()).to.throw("the probe is closed");
    expect(() => {
      probe.setTargets([1]);
    }).to.throw("the probe is closed");
    expect(() => probe.tasks()).to.throw("the probe is closed");
  });

  it("lists this process with its own number and its name", () => {
    const probe = openProbe(addon);
    const self = probe.tasks().find(({ pid }) => pid === process.pid);
    probe.close();
    expect(self?.comm).to.equal("node");
    expect(self && self.startTimeNs > 0n).to.equal(true);
  });

  it("shows a process in a pid namespace the numbers of that namespace", () => {
    const script = `
      const addon = require(${JSON.stringify(ADDON)});
      const probe = addon.open({ programs: ["list_tasks"] });
      const tasks = probe.tasks();
      console.log(JSON.stringify({ pid: process.pid, tasks: tasks.map(({ pid, tgid }) => ({ pid, tgid })) }));`;
    const text = execFileSync("unshare", ["-pf", "--mount-proc", process.execPath, "-e", script], {
      encoding: "utf8",
    });
    const { pid, tasks } = JSON.parse(text) as { pid: number; tasks: { pid: number; tgid: number }[] };
    expect(pid).to.equal(1);
    expect(tasks.map((task) => task.pid)).to.deep.equal([1]);
    expect(tasks[0]?.tgid).to.be.greaterThan(1);
  });

  it("names operation, object, errno and cure where it has no permission", () => {
    const script = `
      const addon = require(${JSON.stringify(ADDON)});
      try { addon.open({ programs: ["on_add"] }); } catch (error) {
        const { code, errno, operation, object, hint } = error;
        console.log(JSON.stringify({ code, errno, operation, object, hint, facts: addon.probeFeatures().permission }));
      }`;
    const text = execFileSync(
      "setpriv",
      [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all",
        process.execPath,
        "-e",
        script,
      ],
      { encoding: "utf8" },
    );
    const error = JSON.parse(text) as Record<string, unknown>;
    expect(error).to.include({ code: "EPERM", errno: 1, operation: "load", facts: "no" });
    expect(error["object"]).to.equal("program on_add (tp_btf/mm_filemap_add_to_page_cache)");
    expect(error["hint"]).to.include("CAP_BPF and CAP_PERFMON");
  });

  const misuses: readonly [string, (addon: NativeAddon) => void, string][] = [
    ["no options", (a) => a.open(undefined as never), "options must be an object"],
    ["programs that are no strings", (a) => a.open({ programs: [1 as never] }), "must hold strings only"],
    ["an unknown program", (a) => a.open({ programs: ["nothing"] }), "find program nothing failed: ENOENT"],
  ];
  for (const [name, misuse, message] of misuses) {
    it(`refuses ${name}`, () => {
      expect(() => {
        misuse(addon);
      }).to.throw(message);
    });
  }

  it("refuses targets that cannot be, and arrays of another shape", () => {
    const probe = openProbe(addon);
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 32, "1"]) {
      expect(() => {
        probe.setTargets([bad as number]);
      }).to.throw("a tgid must be an integer");
    }
    expect(() => {
      probe.setTargets(Array.from({ length: addon.targetsMax + 1 }, (_, i) => i + 1));
    }).to.throw("at most");
    expect(() => {
      probe.readCounters(new BigUint64Array(addon.counterNames.length + 1));
    }).to.throw("whole components");
    expect(() => {
      probe.readCounters(new Float64Array(addon.counterNames.length) as never);
    }).to.throw("must be a BigUint64Array");
    probe.close();
  });
});

/** The kernel frees maps and programs after a grace period. */
async function expectSoon<T>(read: () => T, expected: T): Promise<void> {
  for (let waitedMs = 0; waitedMs < 3000; waitedMs += 100) {
    if (JSON.stringify(read()) === JSON.stringify(expected)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(read()).to.deep.equal(expected);
}
