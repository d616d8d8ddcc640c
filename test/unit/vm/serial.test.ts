import { expect } from "chai";
import { parseSerial } from "../../vm/serial.js";

describe("what a guest writes on its serial line", () => {
  it("has the facts about its kernel where they are told, and no other line for them", () => {
    const told =
      '@@begin facts\n@@facts {"machine":"aarch64"}\n@@end facts 0 {"passed":1,"failed":0}\n@@off 9.0\n';
    const { facts, suites, complete } = parseSerial(told);
    expect([facts, suites[0]?.log, complete]).to.deep.equal(['{"machine":"aarch64"}', "", true]);
    expect(parseSerial(told.replace("@@facts", "facts")).facts).to.equal(undefined);
  });
});
