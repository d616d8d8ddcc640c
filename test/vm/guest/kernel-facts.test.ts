/** Tells the facts that the choice of programs goes by, to be recorded (run.ts, --facts). */
import { expect } from "chai";
import { loadAddon } from "../../../src/kernel/addon.js";
import { packageRoot } from "../../support/package-root.js";

describe("the facts about this kernel", function () {
  // An emulated CPU takes its time to try every hook.
  this.timeout(300_000);

  it("are had with the permission to try what the kernel has", () => {
    const facts = loadAddon(packageRoot).probeFeatures();
    console.log(`@@facts ${JSON.stringify(facts)}`);
    expect(facts.permission).to.equal("yes");
  });
});
