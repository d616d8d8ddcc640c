import { expect } from "chai";
import type { Outcome } from "../../../src/banyandb/outcome.js";
import type { TickQueue } from "../../../src/banyandb/queue.js";
import { present } from "../../support/present.js";
import { TICK_BYTES, queueOf, fill, times, settleAll, write } from "../../support/scripted-queue.js";
import { tickAt } from "../../support/ticks.js";

describe("order of sending", () => {
  it("has nothing to send at first", () => {
    const queue = queueOf();
    expect([queue.dueAtMs(0), queue.next(0)]).to.deep.equal([undefined, undefined]);
  });

  it("sends the newest tick first, then the backlog from its oldest, one batch per second", () => {
    const queue = queueOf({ batchPoints: 2 });
    fill(queue, 1, 2, 3, 4, 5, 6);
    expect(write(queue, 0)).to.deep.equal([6]);
    expect(write(queue, 0)).to.deep.equal([1, 2]);
    expect([queue.dueAtMs(0), write(queue, 999)]).to.deep.equal([1000, undefined]);
    expect(write(queue, 1000)).to.deep.equal([3, 4]);
    fill(queue, 7);
    expect(write(queue, 1001)).to.deep.equal([7]);
    expect(write(queue, 2000)).to.deep.equal([5]);
    expect(queue.dueAtMs(9000)).to.equal(undefined);
  });

  it("has one batch under way at a time", () => {
    const queue = queueOf();
    fill(queue, 1);
    queue.next(0);
    fill(queue, 2);
    expect([queue.dueAtMs(0), queue.next(0)]).to.deep.equal([undefined, undefined]);
  });

  it("tries the same batch again while nobody answers, and the newest tick after the first answer", () => {
    const queue = queueOf();
    fill(queue, 1);
    for (let i = 0; i < 3; i++) {
      const batch = present(queue.next(0));
      expect(times(batch)).to.deep.equal([1]);
      settleAll(queue, batch, "kept");
      fill(queue, i + 2);
    }
    expect(write(queue, 0)).to.deep.equal([1]);
    expect(write(queue, 0)).to.deep.equal([4]);
    expect(write(queue, 0)).to.deep.equal([2, 3]);
  });

  it("leaves a refused point to the backlog, so that it cannot hold up the newest", () => {
    const queue = queueOf();
    fill(queue, 1);
    const batch = present(queue.next(0));
    queue.settle(batch, [{ kind: "struck", reason: "internal_error" }], "whole", 0);
    fill(queue, 2);
    expect(write(queue, 0)).to.deep.equal([2]);
    expect(write(queue, 0)).to.deep.equal([1]);
  });

  it("sends whole ticks only, at least one", () => {
    const queue = queueOf({ batchPoints: 2 });
    for (const n of [1, 2, 3]) {
      queue.enqueue(tickAt(n * 10_000, { hit: n, missed: 0, reads: { a: 1, b: 2 } }));
    }
    expect(write(queue, 0)).to.deep.equal([3, 3, 3]);
    expect(write(queue, 0)).to.deep.equal([1, 1, 1]);
  });

  it("keeps batches small in bytes, and never sends more than a quarter of the queue at once", () => {
    const queue = queueOf({ maxBytes: 12 * TICK_BYTES });
    fill(queue, 1, 2, 3, 4, 5, 6, 7, 8);
    expect(write(queue, 0)).to.deep.equal([8]);
    expect(write(queue, 0)).to.deep.equal([1, 2, 3]);
  });

  it("sends the newest first and without pause when there is little time left", () => {
    const queue = queueOf({ batchPoints: 2 });
    fill(queue, 1, 2, 3, 4, 5);
    queue.drain();
    expect([write(queue, 0), write(queue, 0), write(queue, 0)]).to.deep.equal([[5, 4], [3, 2], [1]]);
  });
});

describe("replay window", () => {
  it("makes acknowledged ticks due again when the connection is lost, and counts them once", () => {
    const queue = queueOf();
    fill(queue, 1);
    write(queue, 0);
    expect(queue.connectionLost()).to.equal(1);
    expect(queue.counts()).to.include({ written: 1, queued: 0, resent: 0 });
    expect(write(queue, 1000)).to.deep.equal([1]);
    expect(queue.counts()).to.include({ collected: 1, written: 1, queued: 0, inFlight: 0, resent: 1 });
  });

  it("ends with an answer that comes after it, not with time", () => {
    const queue = queueOf();
    fill(queue, 1);
    write(queue, 0);
    expect(queue.connectionLost()).to.equal(1);
    write(queue, 1000);
    fill(queue, 2);
    write(queue, 15_999);
    expect(queue.bytes()).to.equal(2 * TICK_BYTES);
    fill(queue, 3);
    write(queue, 16_000);
    expect(queue.bytes()).to.equal(2 * TICK_BYTES);
    expect(queue.connectionLost()).to.equal(2);
  });

  it("covers acknowledgements that arrive when the connection is already lost", () => {
    const queue = queueOf();
    fill(queue, 1);
    const batch = present(queue.next(0));
    queue.connectionLost();
    settleAll(queue, batch, "written");
    expect(queue.counts()).to.include({ written: 1, queued: 0 });
    expect(write(queue, 1000)).to.deep.equal([1]);
  });

  it("does not end by an answer from before the connection was lost", () => {
    const queue = queueOf();
    fill(queue, 1);
    write(queue, 0);
    fill(queue, 2);
    const batch = present(queue.next(20_000));
    queue.connectionLost();
    settleAll(queue, batch, "written", 20_000);
    expect(queue.bytes()).to.equal(2 * TICK_BYTES);
  });

  it("still sends again what was kept when it was sent again", () => {
    const queue = queueOf();
    fill(queue, 1);
    write(queue, 0);
    queue.connectionLost();
    settleAll(queue, present(queue.next(1000)), "kept");
    expect(write(queue, 1000)).to.deep.equal([1]);
    expect(queue.counts()).to.include({ written: 1, resent: 2 });
  });
});

describe("refused points", () => {
  const struck: Outcome = { kind: "struck", reason: "internal_error" };

  it("are rejected after ten refusals while others are taken", () => {
    const queue = queueOf();
    queue.enqueue(tickAt(10_000, { hit: 1, missed: 0, reads: { bad: 5 } }));
    queue.settle(present(queue.next(0)), [{ kind: "written" }, struck], "whole", 0);
    for (let n = 2; n <= 10; n++) {
      expect(queue.counts()).to.include({ rejected: 0, queued: 1 });
      fill(queue, n);
      write(queue, n * 1000);
      const batch = present(queue.next(n * 1000));
      expect(batch.points).to.have.length(1);
      queue.settle(batch, [struck], "whole", n * 1000);
    }
    expect(queue.counts()).to.include({ rejected: 1, queued: 0 });
    expect(queue.sums().rejected["part.reads"]).to.equal(5);
  });

  it("are kept for ever while nothing is taken", () => {
    const queue = queueOf();
    fill(queue, 1);
    for (let n = 0; n < 50; n++) queue.settle(present(queue.next(n * 1000)), [struck], "whole", n * 1000);
    expect(queue.counts()).to.include({ rejected: 0, queued: 1 });
  });

  it("are never sent again once they are rejected", () => {
    const queue = queueOf();
    fill(queue, 1);
    queue.settle(present(queue.next(0)), [{ kind: "rejected", reason: "invalid_timestamp" }], "whole", 0);
    queue.connectionLost();
    expect(queue.dueAtMs(0)).to.equal(undefined);
    expect(queue.counts()).to.include({ collected: 1, rejected: 1, queued: 0 });
  });
});

describe("what the queue says", () => {
  it("is how old the oldest unsent tick is, and which was written last", () => {
    const queue = queueOf();
    expect([queue.oldestUnsentMs(), queue.lastWrittenTimestampMs()]).to.deep.equal([undefined, undefined]);
    fill(queue, 1, 2);
    write(queue, 0);
    expect([queue.oldestUnsentMs(), queue.lastWrittenTimestampMs()]).to.deep.equal([10_000, 20_000]);
    write(queue, 1000);
    expect([queue.oldestUnsentMs(), queue.lastWrittenTimestampMs()]).to.deep.equal([undefined, 20_000]);
  });

  it("takes a tick without samples for nothing", () => {
    const queue = queueOf();
    queue.enqueue({ ...tickAt(1, { hit: 0, missed: 0 }), samples: [] });
    expect([queue.bytes(), queue.dueAtMs(0)]).to.deep.equal([0, undefined]);
  });

  it("refuses outcomes of a batch that is not under way", () => {
    const queue = queueOf();
    fill(queue, 1);
    const batch = present(queue.next(0));
    settleAll(queue, batch, "kept");
    expect(() => {
      settleAll(queue, batch, "written");
    }).to.throw("not under way");
  });
});

describe("a server that refuses all", () => {
  it("is asked with two batches in turn, so that the others can still be merged", () => {
    const queue = queueOf();
    const asked: (number[] | undefined)[] = [];
    for (let n = 1; n <= 6; n++) {
      fill(queue, n);
      const batch = present(queue.next(n * 1000));
      asked.push(times(batch));
      queue.settle(
        batch,
        batch.points.map((): Outcome => ({ kind: "kept" })),
        "whole",
        n * 1000,
      );
    }
    expect(asked).to.deep.equal([[1], [2], [1], [2], [1], [2]]);
    expect(write(queue, 7000)).to.deep.equal([1]);
    expect(write(queue, 8000)).to.deep.equal([6]);
  });
});

describe("the audit of the queue", () => {
  it("holds what has outlived its window until it is known to be stored", () => {
    const queue = queueOf({ audit: true });
    fill(queue, 1, 2);
    write(queue, 0);
    write(queue, 1000);
    expect(queue.toAudit(10)).to.deep.equal([]);
    fill(queue, 3);
    write(queue, 20_000);
    const points = queue.toAudit(10);
    expect(points.map(({ tick }) => tick.timestampMs)).to.deep.equal([10_000, 20_000]);
    const missing = queue.audited(points, ({ tick }) => tick.timestampMs === 10_000);
    expect(missing).to.equal(1);
    expect(write(queue, 21_000)).to.deep.equal([2]);
    expect(queue.counts()).to.include({ collected: 3, written: 3, resent: 1 });
    expect(queue.toAudit(10)).to.deep.equal([]);
  });

  it("does not judge what a lost connection has made due again meanwhile", () => {
    const queue = queueOf({ audit: true });
    fill(queue, 1);
    write(queue, 0);
    fill(queue, 2);
    write(queue, 20_000);
    const points = queue.toAudit(10);
    queue.connectionLost();
    expect(queue.audited(points, () => true)).to.equal(0);
    expect(write(queue, 21_000)).to.deep.equal([1, 2]);
  });
});

describe("ticks that are moved to another time", () => {
  const sumOf = (queue: TickQueue): number | undefined => queue.sums().held["cache.pages_hit"];

  it("keep their counts and are sent at the new time, with a version of that time", () => {
    const queue = queueOf();
    fill(queue, 1, 2);
    queue.restamp(-5000, 0);
    const batch = present(queue.next(0));
    expect(batch.points.map(({ tick }) => tick.timestampMs)).to.deep.equal([15_000]);
    expect(batch.points[0]?.tick.version).to.equal(tickAt(15_000, { hit: 2, missed: 0 }).version);
    expect(sumOf(queue)).to.equal(3);
  });

  it("stay where they are once they were sent, whatever became of it", () => {
    const queue = queueOf();
    fill(queue, 1);
    settleAll(queue, present(queue.next(0)), "kept");
    queue.restamp(-5000, 0);
    expect(times(queue.next(5000))).to.deep.equal([1]);
  });

  it("join the next one that is late enough, across those that were sent, and the books stay right", () => {
    const queue = queueOf();
    fill(queue, 1, 2, 3);
    settleAll(queue, present(queue.next(0)), "written");
    fill(queue, 4, 5);
    const bytes = queue.bytes();
    queue.restamp(0, 30_000);
    expect(queue.counts()).to.deep.include({ queued: 2, coalesced: 2, written: 1, collected: 5 });
    expect(queue.bytes()).to.be.below(bytes);
    expect(sumOf(queue)).to.equal(1 + 2 + 4 + 5);
    expect([write(queue, 0), write(queue, 2000)]).to.deep.equal([[5], [4]]);
    expect(queue.sums().written["cache.pages_hit"]).to.equal(15);
  });
});
