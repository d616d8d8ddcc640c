/** Tells what our programs cost on a hot read of this kernel (bench.ts), whose clock counts instructions. */
import { expect } from "chai";
import { measureRatios } from "../../bench/kernel-ratios.js";

/** Most is a trampoline of 5.10, whose empty program costs next to nothing. */
const OTHER_MAX = 1.75;
/** Instructions; where none of ours is on the way, a chunk of calls may still differ by an interrupt. */
const SYSCALL_MAX = 1;

describe("programs on the way of a hot read", function () {
  this.timeout(600_000);

  it("cost others little more than an empty one, and other syscalls nothing", async () => {
    const costs = await measureRatios();
    console.log(`@@costs ${JSON.stringify(costs)}`);
    expect(costs.length).to.be.greaterThan(0);
    for (const { tier, emptyNs, target, other, syscallNs } of costs) {
      expect(emptyNs, tier).to.be.greaterThan(0);
      expect(target, tier).to.be.greaterThan(other);
      expect(other, tier).to.be.within(1, OTHER_MAX);
      expect(Math.abs(syscallNs), tier).to.be.at.most(SYSCALL_MAX);
    }
  });
});
