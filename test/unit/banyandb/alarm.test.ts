import { expect } from "chai";
import { createAlarm } from "../../../src/banyandb/alarm.js";
import { startSystemTimer } from "../../../src/banyandb/timers.js";

const NEVER_MS = 1e9;

describe("alarm", () => {
  it("ends a wait when it rings", async () => {
    const alarm = createAlarm(startSystemTimer);
    const wait = alarm.wait(NEVER_MS, new AbortController().signal);
    alarm.ring();
    await wait;
  });

  it("ends a wait when the signal fires, and does not begin one after it", async () => {
    const alarm = createAlarm(startSystemTimer);
    const stop = new AbortController();
    const wait = alarm.wait(NEVER_MS, stop.signal);
    stop.abort();
    await wait;
    await alarm.wait(NEVER_MS, stop.signal);
  });

  it("ends a wait in time", async () => {
    await createAlarm(startSystemTimer).wait(1, new AbortController().signal);
  });

  it("takes a delay that no timer can hold for a very long one", async () => {
    const alarm = createAlarm(startSystemTimer);
    let over = false;
    const wait = alarm.wait(2 ** 32, new AbortController().signal).then(() => (over = true));
    await createAlarm(startSystemTimer).wait(10, new AbortController().signal);
    expect(over).to.equal(false);
    alarm.ring();
    await wait;
  });
});
