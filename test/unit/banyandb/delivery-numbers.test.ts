import { expect } from "chai";
import { createDeliveryNumbers } from "../../../src/banyandb/delivery-numbers.js";

const STREAM = {
  code: "OK",
  durationMs: 20,
  points: 3,
  acknowledgedPoints: 2,
  acknowledgedBytes: 500,
  endedMs: 1000,
};

describe("numbers of delivery", () => {
  it("know every gRPC code from the start, at 0", () => {
    const { streams, lastWrittenAgeMs } = createDeliveryNumbers().read(0);
    expect(Object.keys(streams)).to.have.length(17);
    expect(new Set(Object.values(streams))).to.deep.equal(new Set([0]));
    expect(lastWrittenAgeMs).to.equal(undefined);
  });

  it("add up what streams did", () => {
    const numbers = createDeliveryNumbers();
    numbers.record(STREAM);
    numbers.record({
      ...STREAM,
      code: "UNAVAILABLE",
      acknowledgedPoints: 0,
      acknowledgedBytes: 0,
      endedMs: 5000,
    });
    const read = numbers.read(6000);
    expect(read.streams).to.include({ OK: 1, UNAVAILABLE: 1 });
    expect(read.bytesWritten).to.equal(500);
    expect(read.lastWrittenAgeMs).to.equal(5000);
    expect(read.writeSeconds.sum).to.be.closeTo(0.04, 1e-9);
    expect(read.batchPoints.counts.reduce((a, b) => a + b)).to.equal(2);
  });
});
