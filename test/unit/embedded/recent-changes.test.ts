import { expect } from "chai";
import { createRecentChanges } from "../../../src/embedded/recent-changes.js";

describe("embedded BanyanDB: recent changes", () => {
  it("are taken back when they are younger than the flush interval, the newest first", () => {
    let nowMs = 0;
    const changes = createRecentChanges(5_000, () => nowMs);
    const undone: string[] = [];
    const change = (name: string): void => {
      changes.record(() => undone.push(name));
    };
    change("settled");
    nowMs = 1;
    change("second");
    change("third");
    nowMs = 5_000;
    changes.undo();
    expect(undone).to.deep.equal(["third", "second"]);
  });

  it("are taken back once", () => {
    const changes = createRecentChanges(5_000, () => 0);
    let undone = 0;
    changes.record(() => undone++);
    changes.undo();
    changes.undo();
    expect(undone).to.equal(1);
  });

  it("are settled in passing, however many there are", () => {
    let nowMs = 0;
    const changes = createRecentChanges(10, () => nowMs);
    let undone = 0;
    for (; nowMs < 1_000; nowMs++) changes.record(() => undone++);
    changes.undo();
    // At 1000 those of 991 … 999 are younger than 10 ms.
    expect(undone).to.equal(9);
  });
});
