/** `npm run bench:journal`: what the journal costs at 200 points a tick, one tick in 10 s, in CPU of this thread. */
import { openJournal } from "../../src/kernel/journal.js";
import { readSchema } from "../../src/config/schema-files.js";
import { makeSample, tickVersion, type Tick } from "../../src/model/tick.js";
import { crashingMemory } from "../support/crashing-memory.js";
import { present } from "../support/present.js";
import { seededRandom } from "../support/ticks.js";

const POINTS = 200;
const TICKS = 500;
const INTERVAL_MS = 10_000;
/** Within the replay window. */
const UNSETTLED = 2;
const AREA_BYTES = 2 << 20;

const random = seededRandom(1);
const measure = present(readSchema().measures.find(({ name }) => name === "page_cache_component"));
const journal = openJournal(crashingMemory(AREA_BYTES), readSchema(), ["bench:17912", "n/a", "n/a", "n/a"]);
const ticks = Array.from({ length: TICKS }, (_, n): Tick => {
  const timestampMs = 1_800_000_000_000 + n * INTERVAL_MS;
  const samples = Array.from({ length: POINTS }, (_, i) =>
    makeSample(measure, ["measure", `group_${i >> 2}`, `kind_${i & 3}`], () => Math.floor(random() * 1e6)),
  );
  return { timestampMs, version: tickVersion(timestampMs, n), intervalMs: INTERVAL_MS, samples };
});

const before = process.cpuUsage();
ticks.forEach((tick, n) => {
  journal.made(tick);
  if (journal.admit([tick]) !== 1) throw new Error("the journal has no room");
  journal.begin([tick]);
  const done = ticks[n - UNSETTLED];
  if (done) journal.settle(done);
});
const { user, system } = process.cpuUsage(before);
const msPerTick = (user + system) / 1000 / TICKS;
console.log(
  `${msPerTick.toFixed(2)} ms of CPU a tick of ${POINTS} points of ${measure.sources.length} counts: ` +
    `${((100 * msPerTick) / INTERVAL_MS).toFixed(3)} % of a core (at most 0.1); ` +
    `state ${journal.bytes().used} of ${journal.bytes().room} bytes`,
);
process.exitCode = msPerTick / INTERVAL_MS <= 0.001 ? 0 : 1;
