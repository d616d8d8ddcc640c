/**
 * A workload that reads a page of each of many files, laid out as the groups of a BanyanDB, so that every interval
 * has a row for each of them. Child process of `bench:process`: `many-files.js --measure-root-path=DIR COUNT`; says
 * "ready" over the IPC channel and ends when that closes.
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const FLAG = "--measure-root-path=";
/** One of each kind of file that components are told apart by (src/kernel/banyandb-layout.ts). */
const KINDS = [
  "shard-0/0000000000000001/fv.bin",
  "shard-0/0000000000000001/primary.bin",
  "sidx/000000000001.seg",
];
const PAGE_BYTES = 4096;
/** Often enough for every interval of the default. */
const ROUND_MS = 2000;

const root = process.argv.find((arg) => arg.startsWith(FLAG))?.slice(FLAG.length);
if (root === undefined) throw new Error(`${FLAG}DIR is missing`);
const paths = Array.from({ length: Number(process.argv.at(-1)) }, (_, i) => {
  const group = `g${Math.floor(i / KINDS.length)}`;
  return join(root, "measure/data", group, "seg-20261124", KINDS[i % KINDS.length] ?? "");
});
for (const path of paths) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.alloc(PAGE_BYTES, 1));
}
const page = Buffer.alloc(PAGE_BYTES);
setInterval(() => {
  for (const path of paths) {
    const fd = openSync(path, "r");
    readSync(fd, page, 0, PAGE_BYTES, 0);
    closeSync(fd);
  }
}, ROUND_MS);
process.once("disconnect", () => {
  rmSync(root, { recursive: true });
  process.exit();
});
process.send?.("ready");
