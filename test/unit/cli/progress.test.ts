import { PassThrough, type Writable } from "node:stream";
import { expect } from "chai";
import { withProgress } from "../../../src/cli/progress.js";
import { wantsColours } from "../../../src/cli/terminal.js";

/** A stream that remembers what was written. */
function stream(isTTY: boolean): Writable & { text: () => string } {
  const pass = new PassThrough();
  let written = "";
  pass.on("data", (part: Buffer) => {
    written += part.toString();
  });
  return Object.assign(pass, { isTTY, text: () => written });
}

describe("progress", () => {
  it("is shown at once on a terminal, and erased when it is over", async () => {
    const stderr = stream(true);
    const during = await withProgress({ stderr, environment: {} }, "waiting", () => stderr.text());
    expect(during).to.equal("waiting ...");
    expect(stderr.text()).to.equal("waiting ...\r\u001b[K");
  });

  it("is not shown elsewhere for what is quick", async () => {
    const stderr = stream(false);
    expect(await withProgress({ stderr, environment: {} }, "waiting", () => 7)).to.equal(7);
    expect(stderr.text()).to.equal("");
  });

  it("is one line elsewhere for what takes long", async () => {
    const stderr = stream(false);
    const shown = () =>
      new Promise<void>((resolve) => {
        stderr.once("data", () => {
          resolve();
        });
      });
    await withProgress({ stderr, environment: {} }, "waiting", shown, 0);
    expect(stderr.text()).to.equal("waiting ...\n");
  });

  it("lets an error through, and is erased then too", async () => {
    const stderr = stream(true);
    const failing = withProgress({ stderr, environment: {} }, "waiting", () =>
      Promise.reject(new Error("no")),
    );
    expect(await failing.catch(String)).to.equal("Error: no");
    expect(stderr.text().endsWith("\r\u001b[K")).to.equal(true);
  });
});

describe("colours", () => {
  const cases: readonly [string, boolean, Record<string, string>, boolean][] = [
    ["are for a terminal", true, {}, true],
    ["are not for a pipe", false, {}, false],
    ["are not wanted with NO_COLOR", true, { NO_COLOR: "1" }, false],
    ["are wanted with an empty NO_COLOR", true, { NO_COLOR: "" }, true],
    ["are not for a dumb terminal", true, { TERM: "dumb" }, false],
  ];
  for (const [title, isTTY, environment, wanted] of cases) {
    it(title, () => {
      expect(wantsColours(stream(isTTY), environment)).to.equal(wanted);
    });
  }
});
