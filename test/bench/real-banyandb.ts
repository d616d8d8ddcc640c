/**
 * A real BanyanDB under write and query load with a memory limit, watched and written to as in production:
 * `npm run bench:banyandb -- --minutes 5 --limit-mb 512`. Needs a `banyand` in PATH, and root. Prints what an operator
 * would see, as read back from the server, and holds it against /proc/PID/io and a trace of the kernel.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, rmSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { measureNamed } from "../../src/agent-samples.js";
import { readBack, type StoredRow, type StoredRows } from "../../src/banyandb/read-back.js";
import { openTransport } from "../../src/banyandb/transport.js";
import { readSchema } from "../../src/config/schema-files.js";
import { startBanyandbServer } from "../support/banyandb-server.js";
import { startSidecar, type Running } from "../support/sidecar.js";
import { startLoad } from "./banyandb-load.js";
import { makeMemoryCgroup, type MemoryCgroup } from "./memory-cgroup.js";
import { traceEvents, type Trace } from "../support/kernel-trace.js";
import { makeDisk, type OwnDisk } from "../support/own-disk.js";

const PAGE_BYTES = 4096;
/** Of the block layer (include/linux/blk_types.h). */
const SECTOR_BYTES = 512;
const DISK_MB = 6000;
const GROUP = "ebpf";
const NODE_ID = `bench-${process.pid}:17912`;
const SCHEMA = readSchema();
/** That the report speaks of. */
const MEASURES = ["page_cache", "page_cache_component", "fadvise", "memory_pressure", "sidecar"] as const;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "5" }, "limit-mb": { type: "string", default: "512" } },
});
const [minutes, limitMb] = [Number(values.minutes), Number(values["limit-mb"])];

/** Of the limit; else the heap grows until the server is killed, and nothing is left for the page cache. */
const HEAP_SHARE = 0.5;

type Sums = StoredRows["sums"];

/** Of the server: in memory, for it is no part of its data, and yet a file that it writes. */
const LOG = `/dev/shm/banyandb-bench-${process.pid}.log`;

/** Puts a `banyand` first in PATH that enters the cgroup and becomes a copy of the real one, on the own disk. */
function wrapServer(folder: string, procsFile: string): void {
  const real = execFileSync("sh", ["-c", "command -v banyand"], { encoding: "utf8" }).trim();
  mkdirSync(join(folder, "real"), { recursive: true });
  copyFileSync(real, join(folder, "real", "banyand"));
  const wrapper = join(folder, "banyand");
  const lines = [
    "#!/bin/sh",
    `echo $$ > ${procsFile}`,
    // What it is asked for its flags is to be read.
    `[ "$2" = --help ] || exec > ${LOG} 2>&1`,
    `GOMEMLIMIT=${HEAP_SHARE * limitMb}MiB exec ${folder}/real/banyand "$@"`,
  ];
  writeFileSync(wrapper, lines.map((line) => `${line}\n`).join(""));
  chmodSync(wrapper, 0o755);
  process.env["PATH"] = `${folder}${delimiter}${process.env["PATH"] ?? ""}`;
}

/** What the kernel's tracepoints say of the device: pages that left the cache, bytes that the server read from it. */
interface Traced {
  deletedPages: number;
  dataBytes: number;
  /** Of pages that it wrote a part of, and that were not in memory. */
  writtenBytes: number;
  /** Of the file system's own: directories, inodes, maps of blocks. */
  metadataBytes: number;
}

/** Inodes that ext4 fetches together with one that it needs bear no mark of metadata (ext4_sb_breadahead_unmovable). */
const INODE_READAHEAD = /^ext4_sb_breadahead/;
/** What ext4 knows of free blocks is kept in pages of an inode that is no file (EXT4_BAD_INO in fs/ext4/mballoc.c). */
const BUDDY_CACHE_INODE = 1;
/** Functions of ext4 that make a page ready for a write (fs/ext4/inode.c). */
const WRITE_BEGIN = /write_begin$/;

function kindOfRead(flags: string, stack: readonly string[]): "dataBytes" | "writtenBytes" | "metadataBytes" {
  if (flags.includes("M") || stack.some((name) => INODE_READAHEAD.test(name))) return "metadataBytes";
  return stack.some((name) => WRITE_BEGIN.test(name)) ? "writtenBytes" : "dataBytes";
}

function traceDevice(device: number): { traced: Traced; trace: Trace } {
  const traced: Traced = { deletedPages: 0, dataBytes: 0, writtenBytes: 0, metadataBytes: 0 };
  const trace = traceEvents([
    {
      event: "filemap/mm_filemap_delete_from_page_cache",
      filter: `s_dev == ${device} && i_ino != ${BUDDY_CACHE_INODE}`,
      record: (text) => {
        traced.deletedPages += 1 << Number(/order=(\d+)$/.exec(text)?.[1]);
      },
    },
    {
      event: "block/block_bio_queue",
      filter: `dev == ${device} && comm == "banyand"`,
      withStack: true,
      record: (text, stack) => {
        const [, flags = "", sectors = 0] = /^\S+ (\w+) \d+ \+ (\d+) /.exec(text) ?? [];
        if (flags.includes("R")) traced[kindOfRead(flags, stack)] += Number(sectors) * SECTOR_BYTES;
      },
    },
  ]);
  return { traced, trace };
}

function storageReadBytes(pid: number): number {
  return Number(/^read_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
}

/** Between SIGSTOP and the last of its threads leaving the kernel. */
const STOPPED_AFTER_MS = 1000;

/** Does something while the server stands still, so that all counts speak of the same reads. */
async function whileStopped<T>(pid: number, act: () => Promise<T>): Promise<T> {
  process.kill(pid, "SIGSTOP");
  await sleep(STOPPED_AFTER_MS);
  try {
    return await act();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

const sum = (sums: Sums, ...names: readonly string[]) =>
  names.reduce((total, name) => total + (sums[name] ?? 0), 0);

function loadedBytes(sums: Sums): number {
  const pages = sum(sums, "pages_missed", "pages_readahead", "pages_prefetched", "pages_faulted");
  return pages * PAGE_BYTES + sum(sums, "direct_bytes");
}

/** Rows by a key, in the order of their first row. */
function groupRows(rows: readonly StoredRow[], keyOf: (row: StoredRow) => string): Map<string, StoredRow[]> {
  const groups = new Map<string, StoredRow[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}

const sumOf = (rows: readonly StoredRow[], field: string) =>
  rows.reduce((total, { fields }) => total + (fields[field] ?? 0), 0);

/** Whether the rows of all parts add up to the row of the whole, in each interval and each count. */
function differences(whole: StoredRows, parts: StoredRows): string[] {
  const byTime = groupRows(parts.rows, ({ timestampMs }) => String(timestampMs));
  const counts = measureNamed(SCHEMA, "page_cache_component").fields.filter(
    ({ type, name }) => type === "int" && name !== "interval_ms",
  );
  return whole.rows.flatMap(({ timestampMs, fields }) =>
    counts
      .filter(({ name }) => {
        const total = sumOf(byTime.get(String(timestampMs)) ?? [], name);
        return total !== (fields[name] ?? 0);
      })
      .map(({ name }) => `${new Date(timestampMs).toISOString()} ${name}`),
  );
}

function table(rows: readonly StoredRow[], tags: readonly string[], fields: readonly string[]): void {
  const series = groupRows(rows, (row) => tags.map((tag) => row.tags[tag] ?? "").join(" / "));
  const lines = [...series].map(([name, own]) => ({
    [tags.join(" / ")]: name,
    ...Object.fromEntries(fields.map((field) => [field, sumOf(own, field)])),
  }));
  console.table(lines);
}

const verdict = (what: string, left: number, right: number) => {
  console.log(`${left === right ? "equal" : "DIFFERENT"}: ${what}: ${left} and ${right}`);
  if (left !== right) process.exitCode = 1;
};

/** What one run gave: rows as a query tells them, and the numbers to hold them against. */
interface Observed {
  readonly stored: Readonly<Record<string, StoredRows>>;
  readonly readBytes: number;
  readonly traced: Traced;
  /** Pages that left while the server stood still and the sidecar took its first or last reading. */
  readonly uncertainPages: number;
  readonly lostRecords: number;
}

/** Done in reverse order at the end, whatever happened. */
type CleanUp = (() => unknown)[];

/** Undefined where the kernel has killed the server for want of memory; that is said then. */
async function observe(cleanUp: CleanUp): Promise<Observed | undefined> {
  const disk = makeDisk(DISK_MB);
  cleanUp.push(() => {
    disk.remove();
  });
  process.env["TMPDIR"] = disk.path;
  const cgroup = makeMemoryCgroup(`banyandb-bench-${process.pid}`, limitMb);
  cleanUp.push(() => {
    cgroup.remove();
  });
  cleanUp.push(() => {
    rmSync(LOG, { force: true });
  });
  wrapServer(join(disk.path, "bin"), cgroup.procsFile);
  try {
    return await observeServer(cleanUp, disk, cgroup);
  } catch (error) {
    if (cgroup.oomKills() === 0) throw error;
    console.error(
      `The kernel killed BanyanDB because ${limitMb} MB were not enough for it under this load. ` +
        "That says nothing about the sidecar: try again with a higher --limit-mb, or fewer --minutes.",
    );
    process.exitCode = 1;
    return undefined;
  }
}

async function observeServer(cleanUp: CleanUp, disk: OwnDisk, cgroup: MemoryCgroup): Promise<Observed> {
  const server = await startBanyandbServer();
  cleanUp.push(() => server.close());
  if (server.kind !== "banyand") throw new Error("bench:banyandb needs a banyand in PATH");
  const { traced, trace } = traceDevice(disk.device);
  cleanUp.push(() => trace.stop());
  const [pid = 0] = cgroup.pids();
  const beganMs = Date.now();
  const { sidecar, readBefore, uncertainAtStart, before } = await whileStopped(pid, async () => {
    await trace.settle();
    const deletedBefore = traced.deletedPages;
    const started = watchServer(pid, server.address);
    await started.seen(/target process found/);
    await trace.settle();
    return {
      sidecar: started,
      readBefore: storageReadBytes(pid),
      uncertainAtStart: traced.deletedPages - deletedBefore,
      before: { ...traced },
    };
  });
  cleanUp.push(() => {
    sidecar.signal("SIGKILL");
  });
  await runLoad(server.address, () => cgroup.pids().length > 0);
  const { readBytes, during, uncertainAtEnd } = await whileStopped(pid, async () => {
    await trace.settle();
    const during = growth(traced, before);
    sidecar.signal("SIGTERM");
    // It takes its last reading at once; what it then writes waits for the server.
    await trace.settle();
    return {
      readBytes: storageReadBytes(pid) - readBefore,
      during,
      uncertainAtEnd: growth(traced, before).deletedPages - during.deletedPages,
    };
  });
  const { code, stderr } = await sidecar.ended;
  if (code !== 0) throw new Error(`the sidecar ended with ${String(code)}: ${stderr}`);
  return {
    stored: await readRows(server.address, beganMs),
    readBytes,
    traced: during,
    uncertainPages: uncertainAtStart + uncertainAtEnd,
    lostRecords: trace.lost(),
  };
}

function growth(now: Traced, before: Traced): Traced {
  return {
    deletedPages: now.deletedPages - before.deletedPages,
    dataBytes: now.dataBytes - before.dataBytes,
    writtenBytes: now.writtenBytes - before.writtenBytes,
    metadataBytes: now.metadataBytes - before.metadataBytes,
  };
}

function watchServer(pid: number, address: string): Running {
  const settings = {
    interval: "10s",
    "target.pid": String(pid),
    "node.id": NODE_ID,
    "banyandb.endpoints": address,
    "banyandb.group": GROUP,
    "http.listen": "off",
  };
  return startSidecar([
    "run",
    ...Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]),
  ]);
}

async function runLoad(address: string, isServed: () => boolean): Promise<void> {
  const load = await startLoad(address);
  for (let minute = 1; minute <= minutes; minute++) {
    for (let second = 0; second < 60 && isServed(); second++) await sleep(1000);
    if (!isServed()) {
      await load.stop();
      throw new Error("the server has ended under the load");
    }
    const [rows, queries, failures] = [load.rows(), load.queries(), load.failures()];
    console.log(`${minute} min: ${rows} rows written, ${queries} queries, ${failures} failures`);
  }
  await load.stop();
}

async function readRows(address: string, beganMs: number): Promise<Observed["stored"]> {
  const transport = openTransport({ endpoints: [address], username: undefined, password: undefined });
  const range = { fromMs: beganMs, toMs: Date.now() };
  const stored: Record<string, StoredRows> = {};
  for (const measure of MEASURES.map((name) => measureNamed(SCHEMA, name))) {
    const identity = [NODE_ID];
    const where = { transport, group: GROUP, groupSpec: SCHEMA.group, measure, identity, ...range };
    stored[measure.name] = await readBack(where);
  }
  transport.close();
  return stored;
}

/** What left while the server stood still may be in the sidecar's first or last reading, or not. */
function evictionsVerdict(counted: number, traced: number, uncertain: number): void {
  if (uncertain === 0) {
    verdict("pages_evicted, and what the trace saw leave", counted, traced);
    return;
  }
  const most = traced + uncertain;
  const equal = counted >= traced && counted <= most;
  console.log(
    `${equal ? "equal" : "DIFFERENT"}: pages_evicted, and what the trace saw leave: ${counted} and ${traced} to ${most}, ` +
      "since others reclaimed while a reading was taken",
  );
  if (!equal) process.exitCode = 1;
}

function report({ stored, readBytes, traced, uncertainPages, lostRecords }: Observed): void {
  const of = (measure: string) => stored[measure] ?? { rows: [], sums: {} };
  const [whole, parts] = [of("page_cache"), of("page_cache_component")];
  const { sums } = whole;
  const causes = ["reclaim", "hint", "truncate", "other"].map((cause) => `pages_evicted_${cause}`);
  const uses = ["requested", "missed", "faulted", "written", "evicted"].map((use) => `pages_${use}`);
  table(parts.rows, ["catalog", "db_group", "file_kind"], uses);
  table(whole.rows, ["node_id"], causes);
  table(
    of("fadvise").rows,
    ["advice"],
    ["affected", "refaulted", "used", "late", "wasted"].map((of) => `pages_${of}`),
  );
  const strain = [
    "direct_reclaims",
    "memcg_reclaims",
    "reclaim_stall_us",
    "pages_scanned",
    "pages_reclaimed",
  ];
  table(of("memory_pressure").rows, ["scope"], strain);
  const off = differences(whole, parts);
  const missed = sum(of("sidecar").sums, "events_missed");
  console.log(
    `intervals ${whole.rows.length}, events missed ${missed}, records lost by the trace ${lostRecords}`,
  );
  verdict("counts in which the components differ from the whole, and none", off.length, 0);
  for (const line of off.slice(0, 10)) console.log(`  ${line}`);
  verdict("evictions by cause, and pages_evicted", sum(sums, ...causes), sum(sums, "pages_evicted"));
  evictionsVerdict(sum(sums, "pages_evicted"), traced.deletedPages, uncertainPages);
  verdict(
    "bytes of the loaded pages, and what the trace saw read as data",
    loadedBytes(sums),
    traced.dataBytes,
  );
  const { writtenBytes, metadataBytes } = traced;
  console.log(
    `read for the rest of half-written pages: ${writtenBytes} bytes; metadata: ${metadataBytes} bytes`,
  );
  verdict("all three, and /proc/PID/io", loadedBytes(sums) + writtenBytes + metadataBytes, readBytes);
  const unknown = parts.rows.filter(({ tags }) => tags["catalog"] === "unknown");
  const percent = (100 * sumOf(unknown, "pages_added")) / sum(sums, "pages_added");
  console.log(`of unknown component: ${percent.toFixed(3)} % of the pages added`);
}

const cleanUp: CleanUp = [];
try {
  const observed = await observe(cleanUp);
  if (observed) report(observed);
} finally {
  for (const undo of cleanUp.reverse()) await undo();
}
