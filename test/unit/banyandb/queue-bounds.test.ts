/** What gives way where a queue has too little room, or holds ticks too long. */
import { expect } from "chai";
import type { Batch } from "../../../src/banyandb/queue.js";
import { present } from "../../support/present.js";
import { LIMITS, TICK_BYTES, queueOf, fill, times, settleAll, write } from "../../support/scripted-queue.js";

describe("a full queue", () => {
  it("merges the neighbours that together cover the shortest time, the newest last", () => {
    const queue = queueOf({ maxBytes: 4 * TICK_BYTES });
    fill(queue, 1, 2, 3, 4, 5, 6);
    expect(queue.bytes()).to.be.at.most(4 * TICK_BYTES);
    expect(queue.counts()).to.include({ collected: 6, coalesced: 2, dropped: 0, queued: 4 });
    expect(write(queue, 0)).to.deep.equal([6]);
    queue.drain();
    const rest: Batch["points"][number][] = [];
    for (let batch = queue.next(0); batch; batch = queue.next(0)) {
      rest.push(...batch.points);
      settleAll(queue, batch, "written");
    }
    expect(
      rest.map(({ tick, sample }) => [tick.timestampMs, tick.intervalMs, sample.values[0]]),
    ).to.deep.equal([
      [50_000, 10_000, 5],
      [40_000, 20_000, 7],
      [20_000, 20_000, 3],
    ]);
  });

  it("never merges what was sent, since the server may have it", () => {
    const queue = queueOf({ maxBytes: 4 * TICK_BYTES });
    fill(queue, 1);
    settleAll(queue, present(queue.next(0)), "kept");
    fill(queue, 2, 3, 4, 5, 6);
    expect(times(queue.next(0))).to.deep.equal([1]);
  });

  it("forgets the oldest acknowledged tick before it drops anything", () => {
    const queue = queueOf({ maxBytes: 2 * TICK_BYTES });
    for (const n of [1, 2, 3]) {
      fill(queue, n);
      write(queue, n);
    }
    expect(queue.unprotected()).to.equal(1);
    expect(queue.counts()).to.include({ written: 3, dropped: 0 });
    expect(queue.connectionLost()).to.equal(2);
  });

  it("drops the oldest tick that was sent when nothing else is left, and says how much", () => {
    const queue = queueOf({ maxBytes: 2 * TICK_BYTES });
    for (const n of [1, 2]) {
      fill(queue, n);
      const batch = present(queue.next(n));
      queue.settle(batch, [{ kind: "kept" }], "whole", n);
    }
    fill(queue, 3);
    expect(queue.counts()).to.include({ collected: 3, dropped: 1, queued: 2 });
    expect(queue.sums().dropped).to.include({ "cache.pages_hit": 1 });
    expect(write(queue, 3)).to.deep.equal([3]);
  });

  it("keeps its bound even against a batch under way", () => {
    const queue = queueOf({ maxBytes: TICK_BYTES });
    fill(queue, 1);
    const batch = present(queue.next(0));
    fill(queue, 2);
    expect(queue.bytes()).to.equal(TICK_BYTES);
    expect(queue.counts()).to.include({ dropped: 1, inFlight: 1 });
    settleAll(queue, batch, "written");
    expect(queue.counts()).to.include({ collected: 2, written: 1, dropped: 1 });
  });
});

describe("ticks that are too old", () => {
  it("are dropped, and counted, by the age of their oldest part", () => {
    const queue = queueOf({ maxAgeMs: 30_000 });
    fill(queue, 1, 2, 3);
    expect(queue.counts()).to.include({ collected: 3, dropped: 0, queued: 3 });
    // The oldest tick began 40 s ago.
    fill(queue, 4);
    expect(queue.counts()).to.include({ collected: 4, dropped: 1, queued: 3 });
    expect(queue.sums().dropped["cache.pages_hit"]).to.equal(1);
  });

  it("are not made so by a clock that jumps", () => {
    const queue = queueOf({ maxAgeMs: 30_000 });
    fill(queue, 1, 2, 900);
    expect(queue.counts()).to.include({ dropped: 0, queued: 3 });
  });

  it("stay while they are under way", () => {
    const queue = queueOf({ maxAgeMs: 30_000 });
    fill(queue, 1);
    const batch = present(queue.next(0));
    fill(queue, 2, 3, 4);
    expect(queue.counts()).to.include({ dropped: 0, inFlight: 1 });
    settleAll(queue, batch, "written");
    expect(queue.counts()).to.include({ dropped: 0, written: 1 });
  });
});

describe("a queue whose bound changes", () => {
  it("makes room at once, and takes more again later", () => {
    const queue = queueOf();
    fill(queue, 1, 2, 3, 4);
    queue.limit({ ...LIMITS, maxBytes: 2 * TICK_BYTES });
    expect(queue.bytes()).to.be.at.most(2 * TICK_BYTES);
    expect(queue.counts()).to.deep.include({ queued: 2, coalesced: 2, dropped: 0 });
    queue.limit({ ...LIMITS, maxBytes: 4 * TICK_BYTES });
    fill(queue, 5, 6);
    expect(queue.counts()).to.deep.include({ queued: 4, coalesced: 2 });
  });

  it("gives up at once what the new age makes too old", () => {
    const queue = queueOf();
    fill(queue, 1, 2, 3, 4);
    queue.limit({ ...LIMITS, maxAgeMs: 20_000 });
    expect(queue.counts()).to.deep.include({ queued: 2, dropped: 2 });
    expect(queue.reasons().droppedBy).to.deep.include({ age: 2 });
  });

  it("waits for the audit, or no longer, as it is told", () => {
    const queue = queueOf();
    fill(queue, 1);
    write(queue, 0);
    queue.limit({ ...LIMITS, audit: true });
    fill(queue, 2);
    write(queue, 20_000);
    expect(queue.toAudit(10)).to.have.length(1);
    queue.limit(LIMITS);
    expect(queue.toAudit(10)).to.have.length(0);
    fill(queue, 3);
    write(queue, 40_000);
    expect(queue.bytes()).to.equal(TICK_BYTES);
  });
});
