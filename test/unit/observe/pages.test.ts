import { expect } from "chai";
import type { SidecarStatus } from "../../../src/model/status.js";
import { sidecarPages } from "../../../src/observe/pages.js";
import { HEALTHY, KERNEL } from "../../support/status.js";

function page(path: string, status: SidecarStatus | undefined) {
  const schema = { group: { description: "d", tagFamily: "default", identityTags: [] }, measures: [] };
  const render = sidecarPages({ schema, status: () => status, totals: () => undefined })[path];
  if (!render) throw new Error(`no page ${path}`);
  return render();
}

const UNPROBED: SidecarStatus = { ...HEALTHY, kernel: { ...KERNEL, tier: "none", probes: [] } };

describe("the pages of the endpoint", () => {
  it("call the sidecar alive whatever its state", () => {
    for (const status of [undefined, HEALTHY, UNPROBED]) expect(page("/livez", status).status).to.equal(200);
  });

  it("call it ready once a probe is attached", () => {
    expect(page("/readyz", undefined)).to.include({ status: 503, body: "starting\n" });
    expect(page("/readyz", UNPROBED).status).to.equal(503);
    expect(page("/readyz", HEALTHY).status).to.equal(200);
  });

  it("give the verdict and everything behind it as JSON", () => {
    const answer = page("/health", UNPROBED);
    expect(answer).to.include({ status: 503, contentType: "application/json" });
    const body = JSON.parse(answer.body) as { status: string; problems: string[]; kernel: object };
    expect(body.status).to.equal("failing");
    expect(body.problems).to.have.length(1);
    expect(body.kernel).to.deep.equal(UNPROBED.kernel);
    expect(page("/health", HEALTHY).status).to.equal(200);
  });

  it("show metrics also before the first tick", () => {
    const answer = page("/metrics", HEALTHY);
    expect(answer.contentType).to.equal("text/plain; version=0.0.4; charset=utf-8");
    expect(answer.body).to.contain("ebpf_sidecar_build_info{");
  });
});
