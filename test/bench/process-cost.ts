/**
 * What the sidecar process itself costs: memory and CPU of `run` at its default interval, delivering to an
 * embedded BanyanDB in this process and watching a sample workload. `npm run bench:process -- --minutes 5`.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startEmbedded } from "../../src/embedded/server.js";
import { packageRoot } from "../support/package-root.js";

/** Clock ticks per second of /proc/PID/stat (USER_HZ, which is 100 on all of Linux). */
const TICKS_PER_SEC = 100;
const SAMPLE_MS = 1000;
/** Start-up is over after this; it is reported apart. */
const WARM_UP_MS = 10_000;

interface Usage {
  readonly rssMb: number;
  readonly cpuSec: number;
}

function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const rssKb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return {
    rssMb: Number(rssKb) / 1024,
    cpuSec: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SEC,
  };
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function startWorkload(): Promise<ChildProcess> {
  const script = `${packageRoot}/dist/src/demo/sample-workload.js`;
  const child = fork(script, ["/var/tmp"], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  await once(child, "message");
  child.send("start");
  return child;
}

function startSidecar(address: string, targetPid: number): ChildProcess {
  const settings = [
    `banyandb.endpoints=${address}`,
    `target.pid=${targetPid}`,
    "node.id=bench:17912",
    "http.listen=off",
    "log.level=warn",
  ];
  const args = [
    `${packageRoot}/dist/src/main.js`,
    "run",
    ...settings.flatMap((setting) => ["--set", setting]),
  ];
  return spawn(process.execPath, args, { stdio: "inherit" });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { minutes: { type: "string", default: "5" } } });
  const minutes = Number(values.minutes);
  const server = await startEmbedded({ host: "127.0.0.1", port: 0 });
  const workload = await startWorkload();
  const sidecar = startSidecar(server.address, workload.pid ?? 0);
  const pid = sidecar.pid ?? 0;
  console.log(`node ${process.version}, interval 10 s, ${minutes} min`);
  await sleep(WARM_UP_MS);
  const start = usageOf(pid);
  const samples: number[] = [];
  for (const endMs = Date.now() + minutes * 60_000; Date.now() < endMs; await sleep(SAMPLE_MS)) {
    samples.push(usageOf(pid).rssMb);
  }
  const end = usageOf(pid);
  samples.sort((a, b) => a - b);
  const at = (share: number) => (samples[Math.floor(share * (samples.length - 1))] ?? 0).toFixed(1);
  const percent = (100 * (end.cpuSec - start.cpuSec)) / (minutes * 60);
  console.log(`start-up: ${start.cpuSec.toFixed(2)} s of CPU, ${start.rssMb.toFixed(1)} MB RSS after 10 s`);
  console.log(`RSS MB: min ${at(0)}, median ${at(0.5)}, max ${at(1)}`);
  console.log(`CPU: ${percent.toFixed(3)} % of a core`);

  sidecar.kill("SIGTERM");
  await once(sidecar, "exit");
  workload.send("finish");
  await once(workload, "exit");
  await server.kill();
}

await main();
