import { expect } from "chai";
import { heartbeatSample, measureNamed, type OwnNumbers } from "../../src/agent-samples.js";
import { fieldValues } from "../../src/model/tick.js";
import type { OwnCost } from "../../src/model/status.js";
import { SCHEMA } from "../support/schema-ticks.js";
import { DELIVERY } from "../support/status.js";

const MEASURE = measureNamed(SCHEMA, "sidecar");

function own(ownCost: OwnCost): OwnNumbers {
  const { points } = DELIVERY;
  return {
    ...{ health: "ok", probesAttached: 11, probesMissing: 0, eventsMissed: 0, points },
    ...{ queueBytes: 0, cpuUs: 0, rssBytes: 0, ownCost },
  };
}

/** probe_run_ns and probe_sampled_ms of the heartbeat. */
function cost(now: OwnCost, before?: OwnCost): (number | undefined)[] {
  const values = fieldValues(heartbeatSample(MEASURE, own(now), before && own(before)), 10_000);
  const at = (name: string) => MEASURE.fields.findIndex((field) => field.name === name);
  return [values[at("probe_run_ns")], values[at("probe_sampled_ms")]];
}

describe("the heartbeat row", () => {
  it("has what the probes cost since the row before, with the time in which that was measured", () => {
    const first = { runNs: 5000, sampledMs: 100 };
    expect(cost(first)).to.deep.equal([5000, 100]);
    expect(cost({ runNs: 9000, sampledMs: 201 }, first)).to.deep.equal([4000, 101]);
  });

  it("has no cost where it was not measured, rather than 0", () => {
    const first = { runNs: 5000, sampledMs: 100 };
    expect(cost(first, first)).to.deep.equal([undefined, undefined]);
    expect(cost({ reason: "no CAP_SYS_ADMIN" })).to.deep.equal([undefined, undefined]);
    expect(cost({ runNs: 5000, sampledMs: 200 }, first)).to.deep.equal([0, 100]);
  });
});
