/** The queue on a way that does not carry a batch within the time of a stream. */
import { expect } from "chai";
import { createBatchSize } from "../../../src/banyandb/batch-size.js";
import type { Outcome } from "../../../src/banyandb/outcome.js";
import { createTickQueue, type Batch, type TickQueue } from "../../../src/banyandb/queue.js";
import { tickBytes } from "../../../src/model/tick.js";
import { present } from "../../support/present.js";
import { seededRandom, tickAt } from "../../support/ticks.js";

const DEADLINE_MS = 15_000;
const KEPT: Outcome = { kind: "kept" };
const WRITTEN: Outcome = { kind: "written" };

function queueOf(batchPoints: number, maxBytes = 1e7): TickQueue {
  return createTickQueue({
    maxBytes,
    batchPoints,
    batchBytes: 1e7,
    deadlineMs: DEADLINE_MS,
    paceMs: 0,
    windowMs: 15_000,
    maxAgeMs: Number.POSITIVE_INFINITY,
    audit: false,
  });
}

/** A tick of so many points; its timestamp is that of ten seconds each. */
function enqueue(queue: TickQueue, number: number, points: number): void {
  queue.enqueue(tickAt(number * 10_000, { hit: number, missed: 0, reads: readsOf(points, number) }));
}

/** All but one of the points of a tick. */
function readsOf(points: number, number: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: points - 1 }, (_, i) => [`p${i}`, number]));
}

function all(batch: Batch, outcome: Outcome): Outcome[] {
  return batch.points.map(() => outcome);
}

/** The ticks of a batch and how many points it has of each. */
function shape(batch: Batch): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { tick } of batch.points) {
    const number = tick.timestampMs / 10_000;
    counts[number] = (counts[number] ?? 0) + 1;
  }
  return counts;
}

function unanswered(queue: TickQueue, nowMs = 0): Batch {
  const batch = present(queue.next(nowMs));
  queue.settle(batch, all(batch, KEPT), "none", nowMs + DEADLINE_MS);
  return batch;
}

function written(queue: TickQueue, nowMs = 0, tookMs = 0): Batch {
  const batch = present(queue.next(nowMs));
  queue.settle(batch, all(batch, WRITTEN), "whole", nowMs + tookMs);
  return batch;
}

describe("the size of a batch", () => {
  it("is halved whenever some points are not answered, down to ten", () => {
    const size = createBatchSize(1000, DEADLINE_MS);
    expect([size.points(), size.isReduced()]).to.deep.equal([1000, false]);
    size.ended(870, "none", DEADLINE_MS);
    expect([size.points(), size.isReduced()]).to.deep.equal([435, true]);
    size.ended(435, "part", DEADLINE_MS);
    expect(size.points()).to.equal(218);
    for (let i = 0; i < 10; i++) size.ended(size.points(), "none", DEADLINE_MS);
    expect(size.points()).to.equal(10);
  });

  it("is not halved by a batch that could not be smaller", () => {
    const size = createBatchSize(1000, DEADLINE_MS);
    size.ended(10, "none", 1);
    expect(size.points()).to.equal(1000);
  });

  it("is doubled by a full batch that was answered soon, up to the most", () => {
    const size = createBatchSize(100, DEADLINE_MS);
    size.ended(100, "none", DEADLINE_MS);
    size.ended(50, "whole", 5001);
    size.ended(10, "whole", 1);
    expect(size.points()).to.equal(50);
    size.ended(50, "whole", 5000);
    size.ended(100, "whole", 5000);
    expect([size.points(), size.isReduced()]).to.deep.equal([100, false]);
  });

  it("is never more than the most, even where a single tick was", () => {
    const size = createBatchSize(100, DEADLINE_MS);
    size.ended(500, "none", DEADLINE_MS);
    expect(size.points()).to.equal(100);
  });
});

describe("a way too slow for a batch", function () {
  this.timeout(20_000);

  it("gets half of the same ticks, under the same versions, until one gets through", () => {
    const queue = queueOf(1000);
    for (let n = 1; n <= 8; n++) enqueue(queue, n, 20);
    written(queue);
    const whole = unanswered(queue);
    expect(shape(whole)).to.deep.equal({ 1: 20, 2: 20, 3: 20, 4: 20, 5: 20, 6: 20, 7: 20 });
    enqueue(queue, 9, 20);
    const half = unanswered(queue);
    expect(shape(half)).to.deep.equal({ 1: 20, 2: 20, 3: 20 });
    expect(half.points).to.deep.equal(whole.points.slice(0, 60));
    expect(shape(written(queue))).to.deep.equal({ 1: 20 });
    expect(shape(written(queue))).to.deep.equal({ 9: 20 });
    expect(queue.counts()).to.include({ written: 60, queued: 120, coalesced: 0, dropped: 0 });
  });

  it("settles what was answered", () => {
    const queue = queueOf(1000);
    enqueue(queue, 1, 100);
    const batch = present(queue.next(0));
    const outcomes = batch.points.map((_, i) => (i < 30 ? WRITTEN : KEPT));
    queue.settle(batch, outcomes, "part", DEADLINE_MS);
    expect(queue.counts()).to.include({ written: 30, queued: 70 });
    expect(shape(present(queue.next(DEADLINE_MS)))).to.deep.equal({ 1: 50 });
  });

  it("gets a wide tick in parts, which is finished before another one is begun", () => {
    const queue = queueOf(100);
    enqueue(queue, 1, 80);
    unanswered(queue);
    enqueue(queue, 2, 80);
    enqueue(queue, 3, 80);
    expect(shape(written(queue, 0, DEADLINE_MS - 1))).to.deep.equal({ 1: 40 });
    expect(shape(written(queue, 0, DEADLINE_MS - 1))).to.deep.equal({ 1: 40 });
    expect(shape(written(queue))).to.deep.equal({ 3: 40 });
    expect(shape(written(queue))).to.deep.equal({ 3: 40 });
    expect(shape(written(queue))).to.deep.equal({ 2: 80 });
  });

  it("does not stop what was cut at a part that is refused", () => {
    const queue = queueOf(100);
    enqueue(queue, 1, 80);
    unanswered(queue);
    enqueue(queue, 2, 10);
    const refused = present(queue.next(0));
    queue.settle(refused, all(refused, { kind: "struck", reason: "internal_error" }), "whole", DEADLINE_MS);
    expect(shape(written(queue))).to.deep.equal({ 2: 10 });
  });

  it("that carries less than the ticks have gets some of the backlog too, with every count", () => {
    const [tickMs, points, capacity] = [10_000, 60, 40];
    const queue = queueOf(1000, 20 * tickBytes(tickAt(1, { hit: 1, missed: 0, reads: readsOf(points, 1) })));
    let [nowMs, ticks, widestMs] = [0, 0, 0];
    while (nowMs < 12_000_000) {
      while (ticks * tickMs <= nowMs) enqueue(queue, ++ticks, points);
      const batch = present(queue.next(nowMs));
      const fits = batch.points.length <= capacity;
      nowMs += fits ? (DEADLINE_MS * batch.points.length) / capacity : DEADLINE_MS;
      queue.settle(batch, all(batch, fits ? WRITTEN : KEPT), fits ? "whole" : "none", nowMs);
      widestMs = Math.max(widestMs, ...batch.points.map(({ tick }) => tick.intervalMs));
    }
    const { dropped, coalesced } = queue.counts();
    expect(dropped).to.equal(0);
    expect(coalesced).to.be.above(0);
    // As wide as what comes in the time of a fresh tick and one of the backlog, and no wider with time.
    expect(widestMs).to.be.below(150_000);
    expect(nowMs - (queue.oldestUnsentMs() ?? 0)).to.be.below(20 * 150_000);
  });

  for (const seed of [1, 2, 3, 4]) {
    it(`still gets all of a backlog, however little it carries (seed ${seed})`, () => {
      const random = seededRandom(seed);
      const queue = queueOf(1000);
      const capacity = 10 + Math.floor(random() * 90);
      let points = 0;
      for (let n = 1; n <= 100; n++) {
        const width = 1 + Math.floor(random() * 150);
        points += width;
        enqueue(queue, n, width);
      }
      let [nowMs, vain] = [0, 0];
      for (let batch = queue.next(nowMs); batch && vain < 100; batch = queue.next(nowMs)) {
        const fits = batch.points.length <= capacity;
        nowMs += fits ? (DEADLINE_MS * batch.points.length) / capacity : DEADLINE_MS;
        if (!fits) vain++;
        queue.settle(batch, all(batch, fits ? WRITTEN : KEPT), fits ? "whole" : "none", nowMs);
      }
      expect(queue.counts()).to.include({ collected: points, written: points, queued: 0, dropped: 0 });
      expect(vain).to.be.below(10);
      // Not much longer than the way needs for these points.
      expect(nowMs).to.be.below(3 * (points / capacity) * DEADLINE_MS + 10 * DEADLINE_MS);
    });
  }
});
