/** Why probes are not attached, against what the kernel itself lists: its functions and tracepoints, and our links. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { openKernel } from "../../src/kernel/open-kernel.js";
import { SAMPLED_INTERVAL } from "../../src/kernel/latency-sampling.js";
import { requireReads, testedAddon, watched } from "../support/kernel.js";
import { SILENT } from "../support/silent-log.js";

/** Functions and tracepoints of the running kernel. */
function symbols(): ReadonlySet<string> {
  const lines = readFileSync("/proc/kallsyms", "utf8").split("\n");
  return new Set(lines.map((line) => line.split(" ")[2]?.split("\t")[0] ?? ""));
}

/** Links that this process holds and that are on an event. */
function heldLinks(): number {
  const infos = readdirSync("/proc/self/fdinfo").map((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    } catch {
      // The descriptor of the listing itself is closed again.
      return "";
    }
  });
  return new Set(infos.flatMap((text) => /^link_id:\s+(\d+)$/m.exec(text)?.[1] ?? [])).size;
}

const KPROBES = "/sys/bus/event_source/devices/kprobe/type";

describe("the reason why a probe is not attached", function () {
  this.timeout(120_000);

  it("tells what the kernel lacks from what it refuses", () => {
    const known = symbols();
    const wrong = testedAddon()
      .probeFeatures()
      .hooks.filter(({ exists }) => exists === "no")
      .filter(({ hook, refused }) => {
        const [kind = "", ...rest] = hook.split("/");
        const name = rest.at(-1) ?? "";
        if (kind.includes("probe") && !existsSync(KPROBES)) return refused;
        const there = kind === "tp_btf" || kind === "tracepoint" ? `__tracepoint_${name}` : name;
        return known.has(there) !== (refused ?? false);
      });
    expect(wrong).to.deep.equal([]);
  });

  it("is told of each part, and of no other probe where the tier has all that it wants", () => {
    const addon = requireReads();
    const before = heldLinks();
    const kernel = openKernel(
      addon,
      {
        targets: [watched({ pid: process.pid })],
        kernel: { tier: "auto", latency: "off", syscallPrograms: false },
      },
      SILENT,
    );
    const { probes } = kernel.status();
    const attached = probes.filter((probe) => probe.attached);
    expect(attached.length).to.equal(heldLinks() - before);
    kernel.close();
    const latency = probes.find(({ name }) => name === "read_latency");
    expect(latency).to.include({ attached: false, cause: "not_asked", optional: true });
    const calls = probes.find(({ name }) => name === "fadvise_calls");
    const refused = addon
      .probeFeatures()
      .hooks.some(({ program, refused }) => /^count_hint_/.test(program) && refused);
    if (calls) expect(calls.cause).to.equal(refused ? "refused" : "absent");
  });

  it("is that they wait, for those that time reads between two intervals that are timed, which is no fault", () => {
    const before = heldLinks();
    const kernel = openKernel(
      requireReads(),
      {
        targets: [watched({ pid: process.pid })],
        kernel: { tier: "auto", latency: "sampled", syscallPrograms: true },
      },
      SILENT,
    );
    const timed: number[] = [];
    for (let interval = 0; interval < 2 * SAMPLED_INTERVAL; interval++) {
      const { probes } = kernel.status();
      expect(probes.filter(({ attached }) => attached).length, `in ${interval}`).to.equal(
        heldLinks() - before,
      );
      const timers = probes.filter(({ name }) => name.startsWith("time_read_"));
      expect(timers.length).to.be.greaterThan(0);
      if (timers.every(({ attached }) => attached)) timed.push(interval);
      else for (const probe of timers) expect(probe).to.include({ cause: "paused", optional: true });
      kernel.endInterval();
      kernel.nextInterval();
    }
    kernel.close();
    expect(timed).to.deep.equal([0, SAMPLED_INTERVAL]);
  });
});
