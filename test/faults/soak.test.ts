/** F20, for half a minute; `npm run soak -- --minutes 60` is the long one. */
import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { packageRoot } from "../support/package-root.js";

const SEED = Date.now() % 1_000_000;

describe("a soak", function () {
  this.timeout(300_000);

  it(`F20: random faults for half a minute cost no count (seed ${SEED})`, () => {
    const soak = `${packageRoot}/dist/test/bench/soak.js`;
    const args = [soak, "--minutes", "0.5", "--seed", String(SEED)];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status, stdout + stderr).to.equal(0);
    const [enqueued, stored] = ["enqueued", "stored"].map(
      (what) => new RegExp(`^${what} +(\\{.*\\})$`, "m").exec(stdout)?.[1],
    );
    expect(stored).to.equal(enqueued).and.not.equal(undefined);
    expect(stdout).to.contain('faults: {"');
  });
});
