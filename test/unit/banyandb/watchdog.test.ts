import { expect } from "chai";
import { createWatchdog } from "../../../src/banyandb/watchdog.js";

describe("watchdog", () => {
  it("reopens after three missed deadlines in a row", () => {
    const watchdog = createWatchdog();
    watchdog.ended("DEADLINE_EXCEEDED");
    watchdog.ended("DEADLINE_EXCEEDED");
    expect(watchdog.reopen(0)).to.equal(false);
    watchdog.ended("DEADLINE_EXCEEDED");
    expect(watchdog.reopen(0)).to.equal(true);
  });

  it("starts counting again after any other end", () => {
    const watchdog = createWatchdog();
    watchdog.ended("DEADLINE_EXCEEDED");
    watchdog.ended("DEADLINE_EXCEEDED");
    watchdog.ended("UNAVAILABLE");
    watchdog.ended("DEADLINE_EXCEEDED");
    expect(watchdog.reopen(0)).to.equal(false);
  });

  it("reopens when connecting has taken 20 s, and says so before", () => {
    const watchdog = createWatchdog();
    expect(watchdog.dueAtMs()).to.equal(undefined);
    watchdog.connecting(true, 1000);
    watchdog.connecting(true, 20_999);
    expect(watchdog.dueAtMs()).to.equal(21_000);
    expect(watchdog.reopen(20_999)).to.equal(false);
    expect(watchdog.reopen(21_000)).to.equal(true);
    expect(watchdog.dueAtMs()).to.equal(undefined);
  });

  it("forgets a connection attempt that ended", () => {
    const watchdog = createWatchdog();
    watchdog.connecting(true, 0);
    watchdog.connecting(false, 10_000);
    watchdog.connecting(true, 11_000);
    expect(watchdog.reopen(30_000)).to.equal(false);
  });

  it("reopens at most once in a minute", () => {
    const watchdog = createWatchdog();
    const suspect = (): void => {
      for (let i = 0; i < 3; i++) watchdog.ended("DEADLINE_EXCEEDED");
    };
    suspect();
    expect(watchdog.reopen(0)).to.equal(true);
    suspect();
    expect(watchdog.dueAtMs()).to.equal(60_000);
    expect(watchdog.reopen(59_999)).to.equal(false);
    expect(watchdog.reopen(60_000)).to.equal(true);
  });
});
