/**
 * What the sidecar process itself costs: memory and CPU of `run` at its default interval, delivering to an
 * embedded BanyanDB in this process, with about 200 rows in every interval:
 * `npm run bench:process -- --minutes 10 --points 200`.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { startEmbedded } from "../../src/embedded/server.js";
import { packageRoot } from "../support/package-root.js";

/** Clock ticks per second of /proc/PID/stat (USER_HZ, which is 100 on all of Linux). */
const TICKS_PER_SEC = 100;
const SAMPLE_MS = 1000;
/** Start-up is over after this; it is reported apart. */
const WARM_UP_MS = 30_000;
/** What the process may take at most (docs/decisions/0007); 64 MB are 64 * 2^20 bytes. */
const LIMITS = { rssMb: 64, cpuPercent: 0.1 };
/** Rows of an interval that are not those of a file: the total, the heartbeat, the pressure of the node. */
const OTHER_POINTS = 3;

interface Usage {
  readonly rssMb: number;
  /** Of it, what is not the program's own file and can be no one else's. */
  readonly anonymousMb: number;
  readonly cpuSec: number;
  /** Of it, of the threads beside the one of JavaScript: compiler, collector, file system calls. */
  readonly helpersCpuSec: number;
}

function megabytesOf(pid: number, name: "VmRSS" | "VmHWM" | "RssAnon"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}

/** Resident memory that the start took at most, in MB. */
const peakOf = (pid: number): number => megabytesOf(pid, "VmHWM");

/** By `/proc/PID/stat`, or by that of a thread. */
function cpuSecOf(path: string): number {
  const stat = readFileSync(path, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SEC;
}

function usageOf(pid: number): Usage {
  const cpuSec = cpuSecOf(`/proc/${pid}/stat`);
  return {
    rssMb: megabytesOf(pid, "VmRSS"),
    anonymousMb: megabytesOf(pid, "RssAnon"),
    cpuSec,
    helpersCpuSec: cpuSec - cpuSecOf(`/proc/${pid}/task/${pid}/stat`),
  };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function startWorkload(points: number): Promise<ChildProcess> {
  const root = mkdtempSync("/var/tmp/banyandb-ebpf-sidecar-bench-");
  const args = [`--measure-root-path=${root}`, String(points - OTHER_POINTS)];
  const child = fork(`${packageRoot}/dist/test/bench/many-files.js`, args);
  await once(child, "message");
  return child;
}

function startSidecar(address: string, targetPid: number): ChildProcess {
  const settings = [
    `banyandb.endpoints=${address}`,
    `target.pid=${targetPid}`,
    `node.id=bench-${process.pid}:17912`,
    "http.listen=off",
  ];
  const args = [
    `${packageRoot}/dist/src/main.js`,
    "run",
    ...settings.flatMap((setting) => ["--set", setting]),
  ];
  // As the image and the systemd unit set it.
  const env = { ...process.env, MALLOC_ARENA_MAX: "1" };
  return spawn(process.execPath, args, { stdio: ["ignore", "inherit", "pipe"], env });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "10" }, points: { type: "string", default: "200" } },
  });
  const minutes = Number(values.minutes);
  const server = await startEmbedded({ host: "127.0.0.1", port: 0 });
  const workload = await startWorkload(Number(values.points));
  const sidecar = startSidecar(server.address, workload.pid ?? 0);
  let log = "";
  sidecar.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text));
  const pid = sidecar.pid ?? 0;
  await sleep(WARM_UP_MS);
  const start = usageOf(pid);
  const samples: Usage[] = [];
  for (const endMs = Date.now() + minutes * 60_000; Date.now() < endMs; await sleep(SAMPLE_MS)) {
    samples.push(usageOf(pid));
  }
  const end = usageOf(pid);
  const peakMb = peakOf(pid).toFixed(1);
  sidecar.kill("SIGTERM");
  await once(sidecar, "exit");
  workload.disconnect();
  await once(workload, "exit");
  await server.kill();

  const [, ticks, points] = /"stopped","ticks":(\d+),"points_collected":(\d+)/.exec(log) ?? [];
  if (ticks === undefined || points === undefined) throw new Error(`the sidecar did not end well: ${log}`);
  const perTick = Number(points) / Number(ticks);
  const sorted = (of: (usage: Usage) => number) => samples.map(of).sort((a, b) => a - b);
  const range = (of: (usage: Usage) => number) => {
    const values = sorted(of);
    const at = (share: number) => (values[Math.floor(share * (values.length - 1))] ?? 0).toFixed(1);
    return `min ${at(0)}, median ${at(0.5)}, max ${at(1)}`;
  };
  const mostMb = sorted(({ rssMb }) => rssMb).at(-1) ?? 0;
  const percent = (100 * (end.cpuSec - start.cpuSec)) / (minutes * 60);
  console.log(
    `node ${process.version}, interval 10 s, ${minutes} min, ${perTick.toFixed(0)} points per tick`,
  );
  console.log(
    `start-up: ${start.cpuSec.toFixed(2)} s of CPU in ${WARM_UP_MS / 1000} s, ${peakMb} MB at most`,
  );
  console.log(
    `RSS MB: ${range(({ rssMb }) => rssMb)} (must be <= ${LIMITS.rssMb}): ${verdict(mostMb <= LIMITS.rssMb)}`,
  );
  console.log(`of it anonymous: ${range(({ anonymousMb }) => anonymousMb)}`);
  console.log(
    `CPU: ${percent.toFixed(3)} % of a core (must be <= ${LIMITS.cpuPercent}): ${verdict(percent <= LIMITS.cpuPercent)}`,
  );
  const helpersSec = end.helpersCpuSec - start.helpersCpuSec;
  console.log(`of it in helping threads: ${((100 * helpersSec) / (minutes * 60)).toFixed(3)} %`);
  console.log(`load of the machine in its last five minutes: ${(loadavg()[1] ?? 0).toFixed(1)}`);
  if (mostMb > LIMITS.rssMb || percent > LIMITS.cpuPercent) process.exitCode = 1;
}

const verdict = (kept: boolean): string => (kept ? "kept" : "MISSED");

await main();
