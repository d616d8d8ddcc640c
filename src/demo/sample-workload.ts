/**
 * A small workload for the demo where no BanyanDB runs: reads a file of its own, hot and cold, writes and
 * removes parts, and lets its cache be dropped now and then. Child process of the demo, started with a
 * directory on a disk; speaks over the IPC channel: "ready" → "start" … "finish" → exit.
 */
import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";

const MIB = 1 << 20;
const FILE_BYTES = 64 * MIB;
/** Most reads go to this part, so that a hit rate worth looking at comes about. */
const HOT_BYTES = 16 * MIB;
const PART_BYTES = MIB;
const PARTS_KEPT = 3;
const ROUND_MS = 100;
const HOT_READS = 100;
const COLD_READS = 4;
const READ_MAX_BYTES = 32 * 1024;
/** Rounds between two parts, and between two drops of the cache. */
const PART_ROUNDS = 10;
const DROP_ROUNDS = 40;

const directory = process.argv[2] ?? "/var/tmp";
const name = `${directory}/banyandb-ebpf-sidecar-demo-${process.pid}`;
const block = randomBytes(MIB);
const buffer = Buffer.alloc(READ_MAX_BYTES);
const parts: string[] = [];

function makeFile(path: string, sizeBytes: number): void {
  const fd = openSync(path, "w");
  for (let at = 0; at < sizeBytes; at += block.length) {
    writeSync(fd, block, 0, Math.min(block.length, sizeBytes - at), at);
  }
  fsyncSync(fd);
  closeSync(fd);
}

/** Node has no posix_fadvise; dd of the coreutils drops the cache of its input file with it. */
function dropCache(path: string): void {
  execFileSync("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"]);
}

function readSomewhere(fd: number, withinBytes: number): void {
  const length = randomInt(1, READ_MAX_BYTES);
  readSync(fd, buffer, 0, length, randomInt(0, withinBytes - length));
}

function work(fd: number, round: number): void {
  for (let i = 0; i < HOT_READS; i++) readSomewhere(fd, HOT_BYTES);
  for (let i = 0; i < COLD_READS; i++) readSomewhere(fd, FILE_BYTES);
  if (round % PART_ROUNDS === 0) {
    const part = `${name}-part-${round}`;
    makeFile(part, PART_BYTES);
    parts.push(part);
    if (parts.length > PARTS_KEPT) unlinkSync(parts.shift() ?? part);
  }
  if (round % DROP_ROUNDS === DROP_ROUNDS - 1) dropCache(name);
}

function main(): void {
  makeFile(name, FILE_BYTES);
  dropCache(name);
  const fd = openSync(name, "r");
  let timer: NodeJS.Timeout | undefined;
  let round = 0;
  const finish = () => {
    clearInterval(timer);
    closeSync(fd);
    for (const path of [name, ...parts]) unlinkSync(path);
    process.exit(0);
  };
  process.on("message", (message) => {
    if (message === "start")
      timer = setInterval(() => {
        work(fd, ++round);
      }, ROUND_MS);
    if (message === "finish") finish();
  });
  // The demo is gone without a word; an interrupt of the terminal is the demo's to handle.
  process.on("disconnect", finish);
  process.on("SIGINT", () => undefined);
  process.send?.("ready");
}

main();
