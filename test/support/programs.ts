/** Small C programs of the tests: compiles them, and talks with them over their standard streams. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { packageRoot } from "./package-root.js";

/** Their sources are test/support/NAME.c. */
export const PROGRAMS = ["reader", "timed-reader", "threads", "map-storm", "poke"] as const;
/** Of these: a change of one makes all of them anew. */
export const HEADERS = ["workload.h", "reading-calls.h", "reader-hints.h"] as const;
/** Of all kernels but a few of arm64, which are tested in guests (test/vm/processors.ts). */
const PAGE_BYTES = 4096;
export type ProgramName = (typeof PROGRAMS)[number];

export interface Program {
  readonly pid: number;
  /** Lets it work; resolves with the JSON that it prints when it is done, while the process still lives. */
  work(): Promise<unknown>;
  /** Ends the process. */
  end(): Promise<void>;
}

/** Path of a compiled program; compiles it when its sources are newer. */
export function compiled(name: ProgramName): string {
  const source = `${packageRoot}/test/support/${name}.c`;
  const binary = `${packageRoot}/build/test/${name}`;
  const sources = [source, ...HEADERS.map((header) => `${packageRoot}/test/support/${header}`)];
  const newestMs = Math.max(...sources.map((path) => statSync(path).mtimeMs));
  if (!existsSync(binary) || statSync(binary).mtimeMs < newestMs) {
    mkdirSync(`${packageRoot}/build/test`, { recursive: true });
    compileProgram(name, "gcc", binary, PAGE_BYTES);
  }
  return binary;
}

/** @param pageBytes of the kernel that it is to run on */
export function compileProgram(name: ProgramName, compiler: string, binary: string, pageBytes: number): void {
  const source = `${packageRoot}/test/support/${name}.c`;
  const page = `-DPAGE=${pageBytes}L`;
  execFileSync(compiler, [page, "-O1", "-pthread", "-Wall", "-Wextra", "-Werror", "-o", binary, source]);
}

const running = new Set<ChildProcess>();

/** Ends what a failed test has left running, which would keep the test run from ending. */
export function killPrograms(): void {
  for (const child of running) child.kill("SIGKILL");
}

/**
 * Starts a program; resolves when it says that it is ready.
 * @param prelude what to run before it, in the same process
 */
export async function startProgram(
  name: ProgramName,
  args: readonly string[],
  prelude: readonly string[] = [],
): Promise<Program> {
  const [path = "", ...words] = [...prelude, compiled(name), ...args];
  const child = spawn(path, words, { stdio: ["pipe", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await nextLine(name, child, lines);
  if (child.pid === undefined) throw new Error(`${name} has no pid`);
  return {
    pid: child.pid,
    async work() {
      child.stdin.write("\n");
      return JSON.parse(await nextLine(name, child, lines)) as unknown;
    },
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}

async function nextLine(name: string, child: ChildProcess, lines: AsyncIterator<string>): Promise<string> {
  const line = await lines.next();
  if (line.done === true) throw new Error(`${name} ended with ${String(child.exitCode ?? child.signalCode)}`);
  return line.value;
}
