import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { expect } from "chai";
import { requireReads } from "../support/kernel.js";
import { packageRoot } from "../support/package-root.js";
import { compiled } from "../support/programs.js";

interface FileMapping {
  readonly begin: number;
  readonly bytes: number;
  readonly file: string;
}

/** Mappings of this process that cannot be written, by the file that they show. */
function readOnlyMappings(): FileMapping[] {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, begin = "", end = "", file = ""] = /^(\w+)-(\w+) r-.p \S+ \S+ \d+ +(\/.*)$/.exec(line) ?? [];
    if (file === "") return [];
    const address = Number.parseInt(begin, 16);
    return [{ begin: address, bytes: Number.parseInt(end, 16) - address, file }];
  });
}

/** Resident memory that shows files, in bytes. */
function residentFileBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Memory of this process as a file: reading makes it resident. */
function withMemory<T>(use: (memory: number) => T): T {
  const memory = openSync("/proc/self/mem", "r");
  try {
    return use(memory);
  } finally {
    closeSync(memory);
  }
}

/** Makes a page of its own of a file's. */
function poke(address: number, byte: number): void {
  execFileSync(compiled("poke"), [process.pid, address, byte].map(String));
}

function readAt(memory: number, { begin, bytes }: FileMapping): Buffer {
  const into = Buffer.alloc(bytes);
  expect(readSync(memory, into, 0, bytes, begin)).to.equal(bytes);
  return into;
}

const LEAST_RELEASED_SHARE = 0.5;

describe("memory that only the start needed", function () {
  this.timeout(60_000);
  const addon = requireReads();

  it("is given back where it shows the program's file, which reads the same afterwards", () => {
    const program = readOnlyMappings().filter(({ file }) => file === process.execPath);
    const bytes = program.reduce((sum, mapping) => sum + mapping.bytes, 0);
    withMemory((memory) => {
      const before = program.map((mapping) => readAt(memory, mapping));
      const resident = residentFileBytes();
      addon.releaseStartMemory();
      expect(resident - residentFileBytes()).to.be.above(LEAST_RELEASED_SHARE * bytes);
      program.forEach((mapping, i) => {
        expect(readAt(memory, mapping).equals(before[i] ?? Buffer.alloc(0))).to.equal(true);
      });
    });
  });

  it("stays where a page is no longer that of the file, as under a breakpoint", () => {
    const head = readOnlyMappings().find(({ file }) => file === `${packageRoot}/build/sidecar.node`);
    // Padding in the head of an ELF file, which nobody reads (elf(5), EI_PAD).
    const at = (head?.begin ?? 0) + 15;
    const read = (memory: number) => readAt(memory, { begin: at, bytes: 1, file: "" })[0];
    withMemory((memory) => {
      poke(at, 0x5a);
      addon.releaseStartMemory();
      expect(read(memory)).to.equal(0x5a);
      poke(at, 0);
    });
  });
});
