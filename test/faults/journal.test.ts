/**
 * F14: the sidecar is killed at random moments while its target reads, the way to BanyanDB breaks, and the server is
 * killed too. SIDECAR_KILLS says how often; `npm run bench:kills` does it 200 times and shows the numbers.
 */
import { expect } from "chai";
import { runKills } from "../support/kill-run.js";

const KILLS = Number(process.env["SIDECAR_KILLS"] ?? "8");
const SEED = Number(process.env["SIDECAR_SEED"] ?? String(Date.now() % 1_000_000));

describe("the journal", function () {
  this.timeout(120_000 + KILLS * 20_000);

  it(`F14: loses and doubles nothing in ${KILLS} kill -9 of the sidecar (seed ${SEED})`, async () => {
    const { kernel, stored, components, truth } = await runKills({ kills: KILLS, seed: SEED });
    expect(stored).to.deep.equal(kernel);
    expect(components).to.deep.equal(kernel);
    // What the kernel counted is what was done; programs that count from the execve on see the loader too.
    expect(kernel["reads"]).to.be.within(truth.reads, truth.reads + 6 * (KILLS + 1));
    expect(truth.reads).to.be.greaterThan(0);
  });
});
