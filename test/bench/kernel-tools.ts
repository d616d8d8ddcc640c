/** The small C programs of the kernel benchmark: compiles them, starts them, and gives them orders. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { packageRoot } from "../support/package-root.js";

const SOURCES = `${packageRoot}/test/bench`;
const BUILD = `${packageRoot}/build/bench`;

const WARNINGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"];

/** What the tiers of the kernel side hook for a read, by kind of program: of each list a kernel has one at most. */
export const EMPTY_HOOKS = {
  tp_btf: ["tp_btf/mm_filemap_get_pages"],
  tracepoint: ["tracepoint/filemap/mm_filemap_get_pages"],
  // The function that does buffered reads since 5.12, and before.
  fexit: ["fexit/filemap_read", "fexit/generic_file_buffered_read"],
  kprobe: ["kprobe/filemap_read", "kprobe/generic_file_buffered_read"],
} as const;

/** A process that answers each line with a line. */
interface Tool {
  readonly pid: number;
  ask(order: string): Promise<string>;
  end(): Promise<void>;
}

/** ns of one call. */
export interface CallCost {
  readonly pread4k: number;
  readonly pread64k: number;
  readonly getppid: number;
}

export interface HotLoop {
  readonly pid: number;
  rename(name: string): Promise<void>;
  measure(): Promise<CallCost>;
  end(): Promise<void>;
}

export interface Attacher {
  /** Attaches all programs whose names begin so; returns how many this kernel lets in. */
  attach(prefix: string): Promise<number>;
  detach(): Promise<void>;
  end(): Promise<void>;
}

/** Starts the process whose calls are measured, on a file of at least 4 MiB. */
export async function startHotLoop(file: string): Promise<HotLoop> {
  const tool = await start(tools().hotLoop, [file]);
  return {
    pid: tool.pid,
    async rename(name) {
      await tool.ask(`name ${name}`);
    },
    async measure() {
      const [pread4k = NaN, pread64k = NaN, getppid = NaN] = (await tool.ask("measure"))
        .split(" ")
        .map(Number);
      return { pread4k, pread64k, getppid };
    },
    end: () => tool.end(),
  };
}

/** Starts the process that attaches the empty programs, empty_KIND, and those of the peer's way, peer_*. */
export async function startAttacher(): Promise<Attacher> {
  const { attach, objects } = tools();
  const tool = await start(attach, objects);
  return {
    attach: async (prefix) => Number(await tool.ask(`attach ${prefix}`)),
    async detach() {
      await tool.ask("detach");
    },
    end: () => tool.end(),
  };
}

/** Paths of the compiled programs; compiles those whose sources are newer. */
export function tools(): {
  readonly hotLoop: string;
  readonly attach: string;
  readonly objects: readonly string[];
} {
  const empty = Object.entries(EMPTY_HOOKS).flatMap(([kind, hooks]) =>
    hooks.map((hook) => {
      const defines = [`-DHOOK="${hook}"`, `-DPROGRAM=empty_${kind}`];
      return built(`empty_${hook.replaceAll("/", "_")}.bpf.o`, "empty.bpf.c", (to, from) => {
        compileBpf(to, from, defines);
      });
    }),
  );
  return {
    hotLoop: built("hot_loop", "hot_loop.c", compile),
    attach: built("attach", "attach.c", compile),
    objects: [...empty, built("peer.bpf.o", "peer.bpf.c", compileBpf)],
  };
}

function compile(to: string, from: string): void {
  execFileSync("gcc", [...WARNINGS, "-o", to, from, "-lbpf"]);
}

function compileBpf(to: string, from: string, defines: readonly string[] = []): void {
  const multiarch = execFileSync("gcc", ["-print-multiarch"], { encoding: "utf8" }).trim();
  const target = ["-g", "-target", "bpf", "-mcpu=v3", `-I/usr/include/${multiarch}`];
  execFileSync("clang", [...WARNINGS, ...target, ...defines, "-c", from, "-o", to]);
}

/** Path of a compiled file; makes it when the source is newer. */
function built(name: string, source: string, make: (to: string, from: string) => void): string {
  const [to, from] = [`${BUILD}/${name}`, `${SOURCES}/${source}`];
  if (!existsSync(to) || statSync(to).mtimeMs < statSync(from).mtimeMs) {
    mkdirSync(BUILD, { recursive: true });
    make(to, from);
  }
  return to;
}

async function start(command: string, args: readonly string[]): Promise<Tool> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`${command} ended`);
    return line.value;
  };
  await nextLine();
  return {
    pid: child.pid ?? 0,
    ask(order) {
      child.stdin.write(`${order}\n`);
      return nextLine();
    },
    async end() {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}
