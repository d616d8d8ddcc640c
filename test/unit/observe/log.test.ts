import { Writable } from "node:stream";
import { expect } from "chai";
import type { ClockReading } from "../../../src/model/clock.js";
import { createLog } from "../../../src/observe/log.js";

/** A log over a stream that keeps its lines, and a clock that stands where it is put. */
function fixture(level: "info" | "debug" = "info") {
  const lines: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      lines.push(line);
      done();
    },
  });
  const now = { wallMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6), monotonicMs: 0 };
  const log = createLog({ level, stream, clock: (): ClockReading => now });
  const entries = (): Record<string, unknown>[] =>
    lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, entries, now };
}

describe("the log", () => {
  it("writes one JSON object per line: time, level and message, then the fields", () => {
    const { log, lines } = fixture();
    log.info("started", { tier: "tracing", pids: ["1", "2"], absent: undefined });
    expect(lines).to.deep.equal([
      '{"timestamp":"2026-01-02T03:04:05.006Z","level":"info","message":"started","tier":"tracing","pids":["1","2"]}\n',
    ]);
  });

  it("leaves out what is below its level", () => {
    const { log, lines } = fixture();
    log.debug("quiet");
    expect(lines).to.deep.equal([]);
    const chatty = fixture("debug");
    chatty.log.debug("loud");
    expect(chatty.entries()).to.have.length(1);
  });

  it("does not let a field replace the message, the level or the time", () => {
    const { log, entries } = fixture();
    log.warn("real", { message: "false", level: "info", timestamp: "never" });
    expect(entries()[0]).to.include({
      message: "real",
      level: "warn",
      timestamp: "2026-01-02T03:04:05.006Z",
    });
  });

  it("writes one line per cause and 30 seconds, and says how many it did not write", () => {
    const { log, entries, now } = fixture();
    for (let i = 0; i < 5; i++) log.throttled("UNAVAILABLE", "no server");
    log.throttled("DISK_FULL", "no room");
    now.monotonicMs = 29_999;
    log.throttled("UNAVAILABLE", "no server");
    now.monotonicMs = 30_000;
    log.throttled("UNAVAILABLE", "no server");
    expect(entries().map(({ cause, suppressed }) => [cause, suppressed])).to.deep.equal([
      ["UNAVAILABLE", undefined],
      ["DISK_FULL", undefined],
      ["UNAVAILABLE", 5],
    ]);
  });

  it("is not misled by a wall clock that is set back", () => {
    const { log, entries, now } = fixture();
    log.throttled("cause", "first");
    now.wallMs -= 3_600_000;
    now.monotonicMs = 30_000;
    log.throttled("cause", "second");
    expect(entries()).to.have.length(2);
  });

  it("remembers a bounded number of causes", () => {
    const { log, lines } = fixture();
    for (let i = 0; i < 201; i++) log.throttled(`cause ${i}`, "once");
    log.throttled("cause 200", "still known");
    log.throttled("cause 0", "forgotten, so it passes");
    expect(lines).to.have.length(202);
  });

  it("drops lines while nobody reads, says how many, and holds a bounded number of bytes", () => {
    const waiting: (() => void)[] = [];
    const written: string[] = [];
    const stream = new Writable({
      decodeStrings: false,
      write(line: string, _encoding, done) {
        written.push(line);
        waiting.push(done);
      },
    });
    const log = createLog({ level: "info", stream, clock: () => ({ wallMs: 0, monotonicMs: 0 }) });
    for (let i = 0; i < 1000; i++) log.info("x".repeat(1000));
    expect(stream.writableLength).to.be.below(70_000);

    const drain = (): void => {
      while (waiting.length > 0) waiting.shift()?.();
    };
    drain();
    log.info("again");
    drain();
    const dropped = written.map((line) => JSON.parse(line) as { message: string; dropped?: number });
    const notice = dropped.find(({ message }) => message === "log lines dropped");
    expect((notice?.dropped ?? 0) + written.length - 2).to.equal(1000);
    expect(dropped.at(-1)?.message).to.equal("again");
  });

  it("survives that its reader goes away", async () => {
    const broken = new Writable({
      write(_line, _encoding, done) {
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
      },
    });
    const log = createLog({ level: "info", stream: broken, clock: () => ({ wallMs: 0, monotonicMs: 0 }) });
    log.info("one");
    await new Promise((resolve) => broken.once("close", resolve));
    log.info("two");
    expect(broken.errored).to.be.instanceOf(Error);
  });
});
