/** A target that starts and ends again and again: nothing of a life is lost, and nothing of it stays. */
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, unlinkSync } from "node:fs";
import { basename } from "node:path";
import { expect } from "chai";
import type { Kernel } from "../../src/kernel/kernel.js";
import { openTestedKernel, watched, workOf } from "../support/kernel.js";
import { makeFile, readerBinary, startReader } from "../support/reader.js";
import { SILENT } from "../support/silent-log.js";

const CYCLES = workOf(1000);
/** Far oftener than the agent looks, so that looks fall into every moment of a life. */
const FOLLOW_MS = 20;

interface Dumped {
  readonly formatted?: { readonly value: readonly { readonly ".bss"?: unknown }[] | object };
}

/** Slots of struct control that are taken, by bpftool. */
function takenSlots(): number[] {
  for (const fd of readdirSync("/proc/self/fdinfo")) {
    const id = /^map_id:\s+(\d+)$/m.exec(readOrEmpty(`/proc/self/fdinfo/${fd}`))?.[1];
    if (id === undefined) continue;
    const shown = execFileSync("bpftool", ["--json", "map", "show", "id", id], { encoding: "utf8" });
    if (!((JSON.parse(shown) as { name?: string }).name ?? "").endsWith(".bss")) continue;
    const dump = execFileSync("bpftool", ["--json", "map", "dump", "id", id], { encoding: "utf8" });
    const slots = /"slot":\s*\[([^\]]*)\]/.exec(JSON.stringify(JSON.parse(dump) as Dumped[]))?.[1];
    if (slots === undefined) throw new Error(`map ${id} has no slots`);
    return slots
      .split(",")
      .map(Number)
      .filter((slot) => slot !== 0);
  }
  throw new Error("this process holds no control");
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The descriptor of the listing itself is closed again.
    return "";
  }
}

describe("a target that starts and ends again and again", function () {
  this.timeout(300_000);

  it(`loses no read from the execve on in ${CYCLES} lives, and leaves no slot`, async () => {
    const file = makeFile(1 << 20);
    // Of another name than who starts it, whose forks are nobody's until they execute it.
    const program = `/var/tmp/life-${process.pid}`;
    copyFileSync(readerBinary(), program);
    const kernel: Kernel = openTestedKernel([watched({ name: basename(program) })], SILENT);
    const readsOf = () => Number(kernel.read().counters[kernel.layout.names.indexOf("reads")]);
    /** Reads of so many lives, one after the other. */
    const lives = async (count: number): Promise<number> => {
      const before = readsOf();
      const parent = await startReader(file.path, {
        pattern: "cycles",
        bytes: 4096,
        ops: count,
        flags: [program],
      });
      await parent.run();
      await parent.end();
      return readsOf() - before;
    };
    const follower = setInterval(() => {
      kernel.follow();
    }, FOLLOW_MS);
    try {
      const one = await lives(1);
      // A read by the main thread, one by a thread that renamed itself, and those of the dynamic loader.
      expect(one).to.be.greaterThan(2);
      expect(await lives(CYCLES)).to.equal(CYCLES * one);
      kernel.follow();
      expect(takenSlots()).to.deep.equal([]);
    } finally {
      clearInterval(follower);
      kernel.close();
      file.remove();
      unlinkSync(program);
    }
  });
});
