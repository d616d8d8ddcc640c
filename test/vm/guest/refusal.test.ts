/** On kernels before 6.12: tier tracing is refused, and the reason names what is missing. */
import { expect } from "chai";
import { loadAddon } from "../../../src/kernel/addon.js";
import { choosePrograms } from "../../../src/kernel/choose.js";
import { packageRoot } from "../../support/package-root.js";

describe("a kernel without tier tracing", function () {
  // An emulated CPU takes its time to try every hook.
  this.timeout(300_000);

  it("is refused that tier for a missing tracepoint, not for want of BTF or permission", () => {
    const facts = loadAddon(packageRoot).probeFeatures();
    expect(facts).to.include({ btf: "yes", permission: "yes" });
    const choice = choosePrograms(facts, "tracing");
    expect([choice.tier, choice.programs]).to.deep.equal(["none", []]);
    expect(choice.reasons.get("kernel")).to.match(/needs kernel 6\.12 or later .*mm_filemap_get_pages/);
  });
});
