/** F17: a thousand sidecars and one server that restarts, in virtual time; each with the whole delivery. */
import { expect } from "chai";
import { untilTickMs } from "../../src/model/phase.js";
import { createWorld, simulate, type Simulation } from "../support/simulation.js";

const SIDECARS = 1000;
const INTERVAL_MS = 10_000;
const MINUTE_MS = 60_000;
/** After this the herd must be none any more. */
const CALM_AFTER_MS = 2 * MINUTE_MS;

const nodeName = (i: number): string => `host-${i}:17912`;

/** Streams per second from a moment on: the most in any second, over the mean. */
function peakToMean(
  sims: readonly Simulation[],
  fromMs: number,
  toMs: number,
): { peak: number; mean: number } {
  const seconds = new Array<number>((toMs - fromMs) / 1000).fill(0);
  for (const { openedMs } of sims[0]?.server.streams ?? []) {
    if (openedMs < fromMs || openedMs >= toMs) continue;
    const second = Math.floor((openedMs - fromMs) / 1000);
    seconds[second] = (seconds[second] ?? 0) + 1;
  }
  return { peak: Math.max(...seconds), mean: seconds.reduce((sum, n) => sum + n, 0) / seconds.length };
}

describe("a fleet of sidecars", function () {
  this.timeout(480_000);

  it(`F17: ${SIDECARS} of them do not storm a server that restarts after two minutes`, async () => {
    const world = createWorld(17);
    const sims = Array.from({ length: SIDECARS }, (_, i) =>
      simulate({
        seed: 1000 + i,
        world,
        parts: 0,
        phase: (untilTickMs(nodeName(i), INTERVAL_MS, 0) % INTERVAL_MS) / INTERVAL_MS,
        node: nodeName(i),
        checked: false,
      }),
    );
    await world.time.pass(MINUTE_MS);
    world.server.stop();
    await world.time.pass(2 * MINUTE_MS);
    world.server.set("up");
    const backMs = world.time.nowMs();
    await world.time.pass(CALM_AFTER_MS + 2 * MINUTE_MS);
    const calm = peakToMean(sims, backMs + CALM_AFTER_MS, backMs + CALM_AFTER_MS + 2 * MINUTE_MS);
    const herd = peakToMean(sims, backMs, backMs + MINUTE_MS);
    console.log(
      `        streams per second: after 2 min peak ${calm.peak}, mean ${calm.mean.toFixed(1)}, ` +
        `ratio ${(calm.peak / calm.mean).toFixed(2)}; in the first minute peak ${herd.peak}, mean ${herd.mean.toFixed(1)}`,
    );
    expect(calm.mean / (SIDECARS / (INTERVAL_MS / 1000))).to.be.within(0.99, 1.01);
    expect(calm.peak / calm.mean).to.be.at.most(1.5);
    for (const sim of sims) sim.silence();
    await world.time.pass(MINUTE_MS);
    for (const sim of sims) await sim.expectAllStored();
  });
});
