/** The program as a user runs it: a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.js", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly pid: number;
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ended>;
  /** Resolves to the match once standard output or error has it; rejects where the process ends before. */
  seen(pattern: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
}

export interface SidecarOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Without any capability, so that the kernel refuses BPF; also where the tests run as root. */
  readonly unprivileged?: boolean;
}

/** setpriv (util-linux): a program that root starts with an empty bounding set has no capability. */
const WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

/** Starts the program. Its environment has PATH and what is given, nothing else. */
export function startSidecar(args: readonly string[], options: SidecarOptions = {}): Running {
  const prefix = options.unprivileged === true && process.getuid?.() === 0 ? WITHOUT_CAPABILITIES : [];
  const [program = process.execPath, ...rest] = [...prefix, process.execPath, MAIN, ...args];
  const env = { PATH: process.env["PATH"] ?? "", ...options.environment };
  return watch(spawn(program, rest, { env, stdio: ["ignore", "pipe", "pipe"] }));
}

/** Runs the program to its end. */
export function runSidecar(args: readonly string[], options: SidecarOptions = {}): Promise<Ended> {
  return startSidecar(args, options).ended;
}

function watch(child: ChildProcess): Running {
  let stdout = "";
  let stderr = "";
  const waiting = new Set<() => void>();
  const hear = (text: string, isError: boolean): void => {
    if (isError) stderr += text;
    else stdout += text;
    for (const look of waiting) look();
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    hear(text, false);
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    hear(text, true);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
  });
  return {
    pid: child.pid ?? 0,
    ended,
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match) resolve(match);
        };
        waiting.add(look);
        look();
        void ended.then(() => {
          reject(new Error(`ended without ${String(pattern)}:\n${stdout}${stderr}`));
        });
      }),
    signal: (name) => child.kill(name),
  };
}
