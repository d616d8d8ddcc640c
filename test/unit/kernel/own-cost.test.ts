import { expect } from "chai";
import { sampleOwnCost, WINDOW_MS } from "../../../src/kernel/own-cost.js";
import { createVirtualTime } from "../../support/virtual-time.js";

const INTERVAL_MS = 1000;

/** Programs that run a tenth of the time, which is added up only while it is asked for. */
function sampling(refusal?: Error) {
  const time = createVirtualTime();
  let addedNs = 0;
  let sinceMs: number | undefined;
  let begun = 0;
  const cost = sampleOwnCost(
    {
      beginStatistics() {
        begun++;
        if (refusal) throw refusal;
        sinceMs = time.nowMs();
      },
      endStatistics() {
        addedNs += (time.nowMs() - (sinceMs ?? 0)) * 100_000;
        sinceMs = undefined;
      },
      runTimeNs: () => BigInt(addedNs),
    },
    time.nowMs,
    time.startTimer,
  );
  return { time, cost, isAdding: () => sinceMs !== undefined, begun: () => begun };
}

async function passIntervals({ time, cost }: ReturnType<typeof sampling>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await time.pass(INTERVAL_MS);
    cost.nextInterval();
  }
}

describe("the own cost of the programs", () => {
  it("is measured in a short window of the first interval, and then of every fifth", async () => {
    const one = sampling();
    await passIntervals(one, 5);
    expect(one.begun()).to.equal(2);
    expect(one.isAdding()).to.equal(true);
    await one.time.pass(WINDOW_MS);
    expect(one.isAdding()).to.equal(false);
    await passIntervals(one, 4);
    expect(one.begun()).to.equal(2);
    expect(one.cost.read()).to.deep.equal({ runNs: 2 * WINDOW_MS * 100_000, sampledMs: 2 * WINDOW_MS });
  });

  it("has what a window saw that was cut short, and no window after the end", async () => {
    const one = sampling();
    await one.time.pass(WINDOW_MS / 4);
    one.cost.stop();
    await passIntervals(one, 6);
    expect([one.isAdding(), one.begun()]).to.deep.equal([false, 1]);
    expect(one.cost.read()).to.deep.equal({ runNs: (WINDOW_MS / 4) * 100_000, sampledMs: WINDOW_MS / 4 });
  });

  it("is absent with its reason where the kernel refuses, and is not asked for again", async () => {
    const one = sampling(new Error("no CAP_SYS_ADMIN"));
    await passIntervals(one, 6);
    expect(one.begun()).to.equal(1);
    expect(one.cost.read()).to.have.property("reason").that.includes("no CAP_SYS_ADMIN");
  });
});
