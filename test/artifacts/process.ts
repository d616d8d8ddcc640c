/** Runs the tools of the checkers. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export interface Result {
  /** null where it was killed, or could not start. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Called with each line of its output, to show that it lives. */
  readonly progress?: (line: string) => void;
}

/** Long enough for any build here. */
const DEFAULT_TIMEOUT_MS = 30 * 60_000;

/** Runs a program to its end; one that cannot start has code null and the reason on stderr. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const { cwd, input = "", env = {}, timeoutMs = DEFAULT_TIMEOUT_MS, progress } = options;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, ...env },
      timeout: timeoutMs,
    });
    let [stdout, stderr] = ["", ""];
    const follow = (chunk: string) => {
      const line = chunk.trim().split("\n").at(-1);
      if (line !== undefined && line !== "") progress?.(line);
    };
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      follow(chunk);
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      follow(chunk);
    });
    child.on("error", (error) => {
      resolve({ code: null, stdout, stderr: error.message });
    });
    child.on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
    // A program that does not read its input closes the pipe.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** The last lines of what a program wrote, for the report of a failure. */
export function lastLines({ stdout, stderr }: Result, count = 12): string[] {
  return `${stdout}\n${stderr}`
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-count);
}

const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The path of a program; undefined where there is none. */
export function which(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not for us: the next folder may have it.
    return false;
  }
}

export interface Service {
  readonly output: () => string;
  /** Exit code or signal once it has ended by itself. */
  readonly ended: () => string | undefined;
  stop(): Promise<void>;
}

const STOP_MS = 10_000;

/** Starts a program that runs until it is stopped. */
export function startService(
  program: string,
  args: readonly string[],
  options: Pick<RunOptions, "cwd" | "env"> = {},
): Service {
  const child: ChildProcess = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  let end: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  }
  child.on("error", (error) => (end = error.message));
  child.on("exit", (code, signal) => (end = signal ?? `exit code ${code ?? "unknown"}`));
  return {
    output: () => text,
    ended: () => end,
    async stop() {
      if (end !== undefined) return;
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await exit;
      clearTimeout(timer);
    },
  };
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The end of what a service wrote, without the frames of Java's stacks. */
function said(service: Service | undefined): string {
  const lines = (service?.output() ?? "").split("\n").filter((line) => !/^\s+(at|\.\.\.) /.test(line));
  return ["", ...lines.slice(-8)].join("\n").slice(-2000);
}

/** Polls until `ready` gives something. @throws Error after the time, or where the service has ended */
export async function waitUntil<T>(
  what: string,
  timeoutMs: number,
  ready: () => Promise<T | undefined>,
  service?: Service,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await ready().catch(() => undefined);
    if (found !== undefined) return found;
    const ended = service?.ended();
    if (ended !== undefined) throw new Error(`${what}: ended with ${ended}${said(service)}`);
    if (performance.now() > endMs) {
      throw new Error(`${what}: not within ${timeoutMs / 1000} s${said(service)}`);
    }
    await sleep(250);
  }
}
