/**
 * What one tick takes of the kernel side on a large machine: `npm run bench:readout`, as root. Exits with 1 where it
 * takes longer than it may.
 */
import { LAYOUT, measureLayout } from "./kernel-layout.js";

const TICK_MS = 0.5;

const { tickMs, firstTickMs, mapBytes } = measureLayout();
const met = tickMs <= TICK_MS;
console.log(
  `read-out and differences, ${LAYOUT.cpus} possible CPUs x ${LAYOUT.components} used components, nothing in the CPU's caches:`,
);
console.log(`  median ${tickMs.toFixed(3)} ms (${met ? "ok" : "MISSED"}, at most ${TICK_MS} ms)`);
console.log(
  `  the first ${firstTickMs.toFixed(3)} ms, kernel memory of the maps ${(mapBytes / 2 ** 20).toFixed(1)} MB`,
);
process.exitCode = met ? 0 : 1;
