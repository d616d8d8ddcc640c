/**
 * How far the counts are off for the ways to read whose range cannot be seen in the registers:
 * `npm run bench:inexact`. Prints the truth by cachestat(2), what was counted, and the difference.
 */
import { difference, openProbe, readCounts, requireReads, undisturbed } from "../support/kernel.js";
import { makeFile, startReader, type ReaderOptions, type Truth } from "../support/reader.js";

const FILE_BYTES = 64 << 20;
const OPS = 1500;
const COUNTS = ["reads", "reads_missed", "pages_requested", "pages_missed", "read_bytes"] as const;
const WAYS: readonly ReaderOptions[] = [
  { call: "pread", pattern: "unaligned", bytes: 300_000, ops: OPS },
  { call: "io_uring", pattern: "unaligned", bytes: 300_000, ops: OPS },
  { call: "io_uring", pattern: "deep", bytes: 4096, ops: OPS },
  { call: "io_uring", pattern: "deep", bytes: 300_000, ops: OPS },
  { call: "nowait", pattern: "unaligned", bytes: 300_000, ops: OPS },
];

const addon = requireReads();
const probe = openProbe(addon);
const file = makeFile(FILE_BYTES);

function percent(counted: number, truth: number): string {
  return counted === truth ? "exact" : `${((100 * (counted - truth)) / truth).toFixed(1)} %`;
}

for (const way of WAYS) {
  let truth: Truth | undefined;
  const counts = await undisturbed(async () => {
    const reader = await startReader(file.path, way);
    probe.setTargets([reader.pid]);
    const before = readCounts(addon, probe);
    truth = await reader.run();
    const counted = difference(readCounts(addon, probe), before);
    probe.setTargets([]);
    await reader.end();
    return counted;
  });
  const cells = COUNTS.map((name) => {
    const [counted, real] = [counts[name] ?? 0, truth?.[name] ?? 0];
    return `${name} ${counted} for ${real} (${percent(counted, real)})`;
  });
  console.log(`${way.call ?? ""}, ${way.pattern} ${way.bytes}: ${cells.join(", ")}`);
}
file.remove();
probe.close();
