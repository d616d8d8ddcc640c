import { expect } from "chai";
import { createGate } from "../../../src/banyandb/gate.js";

/** The delays after `count` failures in a row, each right after the one before is over. */
function delays(count: number, random: number): number[] {
  const gate = createGate(() => random);
  let nowMs = 0;
  return Array.from({ length: count }, () => {
    const delayMs = gate.fail(nowMs, 0);
    nowMs += delayMs;
    return delayMs;
  });
}

describe("gate", () => {
  it("is open at first and after a success", () => {
    const gate = createGate(() => 0.5);
    expect(gate.remainingMs(0)).to.equal(0);
  });

  it("doubles from one second to fifteen after a short first delay", () => {
    expect(delays(7, 0.5)).to.deep.equal([250, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  });

  it("jitters each delay by half, also at the longest", () => {
    expect(delays(7, 0)).to.deep.equal([0, 500, 1000, 2000, 4000, 7500, 7500]);
    expect(delays(7, 0.999999).map(Math.round)).to.deep.equal([
      500, 1500, 3000, 6000, 12_000, 22_500, 22_500,
    ]);
  });

  it("lets pass no more than 6 + t / 10 s attempts in an outage of t, on average of the jitter", () => {
    let attempts = 0;
    const gate = createGate(() => 0.5);
    for (let nowMs = 0; nowMs < 1_800_000; nowMs += gate.fail(nowMs, 0)) attempts++;
    expect(attempts).to.be.at.most(6 + 180);
  });

  it("begins anew after a success", () => {
    const gate = createGate(() => 0.5);
    gate.fail(0, 0);
    gate.fail(0, 0);
    gate.succeed();
    expect(gate.fail(0, 0)).to.equal(250);
  });

  it("keeps to a floor", () => {
    const gate = createGate(() => 0.5);
    expect(gate.fail(0, 5000)).to.equal(5000);
    gate.ready(100);
    expect(gate.remainingMs(100)).to.equal(4900);
  });

  it("opens when the channel is ready, but not within a second of the last attempt", () => {
    const gate = createGate(() => 0.5);
    for (let i = 0; i < 6; i++) gate.fail(0, 0);
    gate.attempt(0);
    expect(gate.remainingMs(0)).to.equal(15_000);
    gate.ready(300);
    expect(gate.remainingMs(300)).to.equal(700);
    gate.ready(2000);
    expect(gate.remainingMs(2000)).to.equal(0);
  });

  it("is not closed by a channel that becomes ready", () => {
    const gate = createGate(() => 0.5);
    gate.attempt(0);
    gate.ready(10);
    expect(gate.remainingMs(10)).to.equal(0);
  });

  it("forgets the floor of a server that is gone", () => {
    const gate = createGate(() => 0.5);
    gate.fail(0, 30_000);
    gate.lost(1000);
    expect(gate.remainingMs(1000)).to.equal(0);
  });

  it("lets connections that come and go through once a second only", () => {
    const gate = createGate(() => 0.5);
    gate.attempt(0);
    gate.succeed();
    gate.lost(300);
    expect(gate.remainingMs(300)).to.equal(700);
    gate.lost(5000);
    expect(gate.remainingMs(5000)).to.equal(0);
  });

  it("holds without counting a failure", () => {
    const gate = createGate(() => 0.5);
    gate.hold(0, 50);
    expect(gate.remainingMs(0)).to.equal(50);
    expect(gate.fail(50, 0)).to.equal(250);
  });

  it("opens at once when it must", () => {
    const gate = createGate(() => 0.5);
    gate.fail(0, 30_000);
    gate.open();
    expect(gate.remainingMs(0)).to.equal(0);
  });
});
