/** Tier procfs, which has no program: what it has is right, and all else is absent. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { expect } from "chai";
import { createCollector } from "../../../src/collect.js";
import { readSchema } from "../../../src/config/schema-files.js";
import type { Kernel } from "../../../src/kernel/kernel.js";
import { fieldValues, type Sample } from "../../../src/model/tick.js";
import { openTestedKernel, watched } from "../../support/kernel.js";
import { makeFile } from "../../support/reader.js";
import { waitFor } from "../../support/wait.js";
import { SILENT } from "../../support/silent-log.js";

const PAGE_BYTES = 4096;
/** By its path, for a shell may have one of its own. */
const CAT = "/usr/bin/cat";
const FILE_BYTES = (8 << 20) - 1234;
const FILE_PAGES = Math.ceil(FILE_BYTES / PAGE_BYTES);

describe("tier procfs, without any program", function () {
  this.timeout(300_000);
  let file: ReturnType<typeof makeFile>;
  let copy: string;
  let copier: ChildProcess;
  let kernel: Kernel;

  before(() => {
    file = makeFile(FILE_BYTES);
    copy = `${file.path}-copy`;
    // Once before, so that its own program is in memory; then nothing of the file may be.
    execFileSync(CAT, [file.path], { stdio: "ignore" });
    execFileSync("dd", [`if=${file.path}`, "iflag=nocache", "count=0", "status=none"]);
    const output = openSync(copy, "w");
    copier = spawn("sh", ["-c", `read begin; exec ${CAT} "$0" -`, file.path], {
      stdio: ["pipe", output, "inherit"],
    });
    closeSync(output);
    kernel = openTestedKernel([watched({ pid: copier.pid })], SILENT, "procfs");
    kernel.follow();
  });
  after(async () => {
    const ended = once(copier, "exit");
    copier.stdin?.end();
    await ended;
    kernel.close();
    unlinkSync(copy);
    file.remove();
  });

  /** The fields that a sample has. */
  function present(samples: readonly Sample[], measure: string, tag?: string): Record<string, number> {
    const sample = samples.find((one) => one.measure.name === measure && one.tags[0] === tag);
    if (!sample) throw new Error(`there is no sample of ${measure}`);
    const values = fieldValues(sample, 1000);
    return Object.fromEntries(
      sample.measure.fields.flatMap(({ name }, i) =>
        values[i] === undefined || name === "interval_ms" ? [] : [[name, values[i]]],
      ),
    );
  }

  it("has the bytes of the storage as the size of the file says, the kernel's pressure, and nothing else", async () => {
    const files = [nodeFiles()];
    const collector = createCollector(kernel, readSchema(), "now");
    files.push(nodeFiles());
    copier.stdin?.write("\n");
    await waitFor("the file is copied", () => statSync(copy).size === FILE_BYTES);
    files.push(nodeFiles());
    const samples = collector.advance();
    files.push(nodeFiles());

    const moved = FILE_PAGES * PAGE_BYTES;
    expect(present(samples, "page_cache")).to.deep.equal({
      storage_read_bytes: moved,
      storage_write_bytes: moved,
    });
    const node = present(samples, "memory_pressure", "node");
    expect(Object.keys(node).sort()).to.deep.equal(["psi_full_us", "psi_some_us", "refaults"]);
    for (const [name, value] of Object.entries(node)) {
      // Before and after each of the two readings of the sidecar.
      const [first = NaN, second = NaN, third = NaN, fourth = NaN] = files.map((one) => one[name]);
      expect(value, name).to.be.within(third - second, fourth - first);
    }
    expect(samples.map(({ measure }) => measure.name)).not.to.include("page_cache_component");
  });

  it("says which tier it is, and why no page is seen", () => {
    const { tier, probes, eventsMissed } = kernel.status();
    expect({ tier, eventsMissed }).to.deep.equal({ tier: "procfs", eventsMissed: 0 });
    expect(probes.map(({ attached }) => attached)).to.deep.equal([false]);
    expect(probes[0]).to.have.property("reason").that.includes("pages are not seen");
  });
});

/** The same three numbers by other means than the product's. */
function nodeFiles(): Record<string, number> {
  const words = (path: string) => readFileSync(path, "utf8").split(/[\s=]+/);
  const psi = words("/proc/pressure/memory");
  const totals = psi.flatMap((word, i) => (word === "total" ? [Number(psi[i + 1])] : []));
  const vm = words("/proc/vmstat");
  return {
    psi_some_us: totals[0] ?? Number.NaN,
    psi_full_us: totals[1] ?? Number.NaN,
    refaults: Number(vm[vm.indexOf("workingset_refault_file") + 1]),
  };
}
