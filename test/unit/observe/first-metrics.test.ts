import { status as grpcStatus } from "@grpc/grpc-js";
import { expect } from "chai";
import { RECONNECT_CAUSES } from "../../../src/banyandb/transport.js";
import { ownMetrics } from "../../../src/observe/own-metrics.js";
import { simulate } from "../../support/simulation.js";
import { HEALTHY } from "../../support/status.js";

describe("the metrics of a delivery that has sent nothing yet", () => {
  const metrics = ownMetrics({ ...HEALTHY, delivery: simulate().delivery.status() });

  /** Values of one label, each of which must count 0: a rate needs the sample before the first event. */
  function labelsAtZero(name: string, label: string): (string | undefined)[] {
    const samples = metrics.find((metric) => metric.name === `ebpf_sidecar_${name}`)?.samples ?? [];
    for (const { value } of samples) expect(value, name).to.equal(0);
    return samples.map(({ labels }) => labels[label]);
  }

  it("have every reason, cause and code", () => {
    expect(labelsAtZero("rejections_total", "reason")).to.have.members([
      "invalid_timestamp",
      "invalid_argument",
      "too_large",
      "internal_error",
      "failed_precondition",
      "out_of_range",
    ]);
    expect(labelsAtZero("drops_total", "reason")).to.have.members(["overflow", "age"]);
    expect(labelsAtZero("reconnects_total", "cause")).to.have.members([...RECONNECT_CAUSES]);
    const codes = Object.keys(grpcStatus).filter((name) => Number.isNaN(Number(name)));
    expect(labelsAtZero("write_streams_total", "code")).to.have.members(codes);
  });

  it("have every bucket", () => {
    expect(labelsAtZero("write_duration_seconds", "le")).to.include.members(["0.005", "15", "+Inf"]);
    expect(labelsAtZero("batch_points", "le")).to.include.members(["1", "1000", "+Inf"]);
  });

  it("have what counts single events", () => {
    for (const name of ["points_resent_total", "points_unstored_total", "bytes_written_total"])
      expect(labelsAtZero(name, "none"), name).to.have.length(1);
  });
});
