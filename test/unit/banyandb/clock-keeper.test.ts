import { expect } from "chai";
import { createClockKeeper, type ClockKeeper } from "../../../src/banyandb/clock-keeper.js";
import type { Testimony } from "../../../src/banyandb/clock-witness.js";
import { createTickQueue, type TickQueue } from "../../../src/banyandb/queue.js";
import { tickClock, type TickClock } from "../../../src/model/clock.js";
import type { Log } from "../../../src/model/log.js";
import { tickAt } from "../../support/ticks.js";

const START_MS = Date.UTC(2030, 0, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe("the keeper of the clock", () => {
  let wallMs: number;
  let monotonicMs: number;
  let serverMs: number;
  let testimony: Partial<Testimony>;
  let asked: number;
  let messages: string[];
  let timeline: TickClock;
  let queue: TickQueue;
  let keeper: ClockKeeper;

  beforeEach(() => {
    [wallMs, monotonicMs, serverMs] = [START_MS, 1000, START_MS];
    [testimony, asked, messages] = [{}, 0, []];
    begin(0);
  });

  const clock = () => ({ wallMs, monotonicMs });
  const ask = (): Promise<Testimony> => {
    asked++;
    const told = { serverMs, newestMs: undefined, ownNewestMs: undefined, ttlMs: 7 * DAY_MS };
    return Promise.resolve({ ...told, ...testimony });
  };

  function begin(wrongByMs: number): void {
    wallMs = START_MS + wrongByMs;
    const log = { warn: note, info: note } as unknown as Log;
    timeline = tickClock(clock());
    queue = createTickQueue({
      maxBytes: 1e7,
      batchPoints: 100,
      batchBytes: 1e6,
      deadlineMs: 15_000,
      paceMs: 0,
      windowMs: 15_000,
      maxAgeMs: Number.POSITIVE_INFINITY,
      audit: false,
    });
    keeper = createClockKeeper({ queue, clock, timeline, builtMs: START_MS - DAY_MS, log });
  }
  function note(message: string): void {
    messages.push(message);
  }
  function pass(ms: number, stepMs = 0): void {
    wallMs += ms + stepMs;
    monotonicMs += ms;
    serverMs += ms;
  }
  function tick(): void {
    pass(10_000);
    const { timestampMs, intervalMs } = timeline.next(clock());
    queue.enqueue(tickAt(timestampMs, { hit: 1, missed: 0 }, intervalMs));
  }
  function batchTimes(): number[] {
    return (queue.next(monotonicMs)?.points ?? []).map(({ tick: { timestampMs } }) => timestampMs);
  }

  it("asks once at the start, and not again", async () => {
    expect(keeper.status().state).to.equal("unverified");
    for (let i = 0; i < 3; i++) expect(await keeper.check(ask)).to.equal(undefined);
    expect(asked).to.equal(1);
    expect(keeper.status()).to.deep.equal({ state: "sane", reason: undefined });
    expect(messages).to.deep.equal([]);
  });

  it("holds a clock from before the build without asking anybody", async () => {
    begin(-2 * DAY_MS);
    expect(await keeper.check(ask)).to.match(
      /^the wall clock is before the build of this program, 2029-12-31T/,
    );
    expect(keeper.status().state).to.equal("held");
    expect(asked).to.equal(0);
  });

  it("holds a clock that is 30 days ahead from the start, and gives its ticks their time when it is mended", async () => {
    begin(30 * DAY_MS);
    tick();
    expect(await keeper.check(ask)).to.match(/30 d ahead/);
    tick();
    expect(keeper.observe()).to.equal(false);
    pass(0, -30 * DAY_MS);
    expect(keeper.observe()).to.equal(true);
    expect(await keeper.check(ask)).to.equal(undefined);
    expect(batchTimes()).to.deep.equal([START_MS + 20_000]);
    tick();
    expect(queue.newestUnsentMs()).to.equal(START_MS + 30_000);
    expect(messages).to.deep.equal([
      "nothing is written until the wall clock is right",
      "timestamps follow the wall clock that was set",
      "the wall clock is right again",
    ]);
  });

  for (const [name, stepMs] of [
    ["1 hour ahead", HOUR_MS],
    ["1 hour back", -HOUR_MS],
    ["30 days ahead", 30 * DAY_MS],
  ] as const) {
    it(`holds ticks while the clock is set ${name}, and moves none of them when it is set back`, async () => {
      await keeper.check(ask);
      tick();
      pass(0, stepMs);
      expect(keeper.status().state).to.equal("unverified");
      expect(await keeper.check(ask)).to.match(/away from that of BanyanDB/);
      tick();
      pass(0, -stepMs);
      expect(keeper.observe()).to.equal(true);
      expect(await keeper.check(ask)).to.equal(undefined);
      expect(asked).to.equal(2);
      expect(queue.newestUnsentMs()).to.equal(START_MS + 20_000);
      expect(timeline.at(clock())).to.equal(START_MS + 20_000);
    });
  }

  it("follows a step that mends the clock, forwards", async () => {
    begin(-50 * 60_000);
    await keeper.check(ask);
    tick();
    pass(0, 50 * 60_000);
    expect(await keeper.check(ask)).to.equal(undefined);
    expect(batchTimes()).to.deep.equal([START_MS + 10_000]);
  });

  it("waits until the time of what was sent has passed where the step that mends goes back", async () => {
    begin(1000_000);
    await keeper.check(ask);
    tick();
    expect(batchTimes()).to.deep.equal([START_MS + 1_010_000]);
    pass(0, -1000_000);
    tick();
    expect(await keeper.check(ask)).to.match(/^rows of this node are stored for the next 17 min already$/);
    for (let i = 0; i < 100; i++) tick();
    expect(await keeper.check(ask)).to.equal(undefined);
    // All that was collected meanwhile is in the first tick after what was sent.
    expect(queue.newestUnsentMs()).to.equal(START_MS + 1_020_000);
    expect(queue.counts().coalesced).to.equal(100);
    expect(queue.sums().held["cache.pages_hit"]).to.equal(102);
  });

  it("does not write a second time what an earlier life with a clock ahead has written", async () => {
    testimony = { newestMs: START_MS + 15_000, ownNewestMs: START_MS + 15_000 };
    tick();
    expect(await keeper.check(ask)).to.match(/^rows of this node are stored for the next 5 s already$/);
    tick();
    expect(await keeper.check(ask)).to.equal(undefined);
    expect(queue.newestUnsentMs()).to.equal(START_MS + 20_000);
    expect(queue.counts()).to.deep.include({ queued: 1, coalesced: 1 });
  });

  it("does not wait for rows of its own from the far future", async () => {
    testimony = { newestMs: START_MS + 30 * DAY_MS, ownNewestMs: START_MS + 30 * DAY_MS };
    tick();
    expect(await keeper.check(ask)).to.equal(undefined);
  });

  it("keeps its verdict open where nobody answers", async () => {
    const failure = await keeper.check(() => Promise.reject(new Error("away"))).catch((e: unknown) => e);
    expect(String(failure)).to.contain("away");
    expect(keeper.status().state).to.equal("unverified");
  });
});
