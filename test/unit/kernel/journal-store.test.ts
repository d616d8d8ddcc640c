import { expect } from "chai";
import { JournalDamageError, loadState, saveState, stateRoom } from "../../../src/kernel/journal-store.js";
import { crashingMemory, Died } from "../../support/crashing-memory.js";

const text = (state: Uint8Array | undefined) => state && Buffer.from(state).toString();
const bytes = (state: string) => Buffer.from(state);

describe("journal store", () => {
  it("has no state at first, and then the latest", () => {
    const memory = crashingMemory();
    expect(loadState(memory)).to.equal(undefined);
    for (const state of ["one", "two, longer", "3"]) {
      saveState(memory, bytes(state));
      expect(text(loadState(memory))).to.equal(state);
    }
  });

  it("has the old state or the new one, whatever byte of a save is the last one", () => {
    const old = "the old state";
    const next = "another state, of another length";
    const whole = crashingMemory();
    saveState(whole, bytes(old));
    whole.revive();
    saveState(whole, bytes(next));
    const total = whole.written();
    expect(total).to.be.greaterThan(next.length);
    const seen = new Set<string | undefined>();
    for (let last = 0; last <= total; last++) {
      const memory = crashingMemory();
      // Three saves before, so that both areas hold something that could be taken for a state.
      for (const state of ["older still", "and older", old]) saveState(memory, bytes(state));
      memory.dieAfter(last);
      if (last < total)
        expect(() => {
          saveState(memory, bytes(next));
        }).to.throw(Died);
      else saveState(memory, bytes(next));
      memory.revive();
      const found = text(loadState(memory));
      expect(found).to.equal(last < total ? old : next);
      seen.add(found);
      saveState(memory, bytes("after"));
      expect(text(loadState(memory))).to.equal("after");
    }
    expect(seen.size).to.equal(2);
  });

  it("refuses a state of which any byte was changed", () => {
    const state = "a state";
    // Sequence number, length, checksum, state.
    for (let offset = 0; offset < 16 + state.length; offset++) {
      const memory = crashingMemory();
      saveState(memory, bytes(state));
      memory.damage(offset);
      expect(() => loadState(memory), `byte ${offset}`).to.throw(JournalDamageError);
    }
  });

  it("takes a state that fills its area, and none that is longer", () => {
    const memory = crashingMemory(1000);
    saveState(memory, new Uint8Array(stateRoom(memory)));
    expect(loadState(memory)?.length).to.equal(stateRoom(memory));
    expect(() => {
      saveState(memory, new Uint8Array(stateRoom(memory) + 1));
    }).to.throw("does not fit");
  });
});
