/** Reclaim by tasks that want memory while there is none, which only a machine of our own may be brought to. */
import { execFile } from "node:child_process";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { WINDOW_MS } from "../../../src/kernel/own-cost.js";
import { openTestedKernel, watched } from "../../support/kernel.js";
import { collectRows } from "../../support/rows.js";
import { SILENT } from "../../support/silent-log.js";

const run = promisify(execFile);
const READERS = [0, 1, 2, 3];
const FILE_BYTES = 256 << 20;
/** Of 2 MB: leaves the guest less than all files together. */
const HUGE_PAGES = 600;

/** Times that a task had to reclaim, by the kernel's own count. */
function stalls(): number {
  const counts = readFileSync("/proc/vmstat", "utf8").matchAll(/^allocstall_\w+ (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

const setHugePages = (pages: number) => {
  writeFileSync("/proc/sys/vm/nr_hugepages", String(pages));
};

describe("direct reclaim", function () {
  this.timeout(300_000);
  const paths = READERS.map((i) => `/var/tmp/direct-reclaim-${i}`);
  after(() => {
    setHugePages(0);
    for (const path of paths) rmSync(path, { force: true });
  });

  it("is counted as often as the kernel says, for the node and for the target that had to", async () => {
    const kernel = openTestedKernel([watched({ command: "^dd if=/dev/zero bs=160M" })], SILENT);
    const take = collectRows(kernel);
    for (const path of paths) {
      // Holes: pages of the cache like any other, and no work for the disk.
      writeFileSync(path, "");
      truncateSync(path, FILE_BYTES);
    }
    setHugePages(HUGE_PAGES);
    take();
    // The window of the own cost is over then: that ends by an instruction replaced, which QEMU may run for ever (run.ts).
    await sleep(3 * WINDOW_MS);
    const before = stalls();
    take();
    const reading = paths.map((path) => run("dd", [`if=${path}`, "of=/dev/null", "bs=1M", "status=none"]));
    const hogs = [1, 2].map(() =>
      run("dd", ["if=/dev/zero", "bs=160M", "count=3", "of=/dev/null", "status=none"]),
    );
    kernel.follow();
    await Promise.all([...reading, ...hogs]);
    const rows = take();
    const after = stalls();
    // From 7.0 on the tracepoint can be preempted; what it loses then is told.
    const { eventsMissed } = kernel.status();
    kernel.close();
    const [node, target] = [rows.row("memory_pressure", "node"), rows.row("memory_pressure", "target")];
    expect(after - before).to.be.greaterThan(0);
    expect(after - before - (node["direct_reclaims"] ?? NaN)).to.be.within(0, eventsMissed);
    expect(node["direct_reclaim_tasks"]).to.be.within(1, after - before);
    expect(node["reclaim_stall_us"]).to.be.greaterThan(0);
    expect(target["direct_reclaims"]).to.be.within(0, after - before);
  });
});
