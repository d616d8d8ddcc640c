import { expect } from "chai";
import { callFailure, judgeBatch, type Outcome, type Reply } from "../../../src/banyandb/outcome.js";

const OK = { code: "OK", details: "" };

function replies(...statuses: (string | undefined)[]): Reply[] {
  return statuses.flatMap((status, i) =>
    status === undefined ? [] : [{ messageId: i + 1, status: `STATUS_${status}` }],
  );
}

const kinds = (outcomes: readonly Outcome[]): string[] => outcomes.map(({ kind }) => kind);

describe("outcome of a batch", () => {
  it("is written where the server said so", () => {
    const { outcomes, answer, failure } = judgeBatch(2, replies("SUCCEED", "SUCCEED"), OK);
    expect(kinds(outcomes)).to.deep.equal(["written", "written"]);
    expect([answer, failure]).to.deep.equal(["whole", undefined]);
  });

  it("follows the message id, not the order of the replies", () => {
    const { outcomes } = judgeBatch(3, replies("SUCCEED", "INVALID_TIMESTAMP", "SUCCEED").reverse(), OK);
    expect(outcomes).to.deep.equal([
      { kind: "written" },
      { kind: "rejected", reason: "invalid_timestamp" },
      { kind: "written" },
    ]);
  });

  it("is ambiguous, so kept, without a reply", () => {
    const { outcomes, answer, failure } = judgeBatch(2, [], { code: "UNAVAILABLE", details: "gone" });
    expect(kinds(outcomes)).to.deep.equal(["kept", "kept"]);
    expect(answer).to.equal("none");
    expect(failure).to.deep.equal({ code: "UNAVAILABLE", message: "gone", remedy: "retry", floorMs: 0 });
  });

  it("rejects only the culprit of an invalid message: the first without a reply", () => {
    const { outcomes, answer, failure } = judgeBatch(4, replies("SUCCEED", "SUCCEED"), {
      code: "INVALID_ARGUMENT",
      details: "invalid",
    });
    expect(outcomes).to.deep.equal([
      { kind: "written" },
      { kind: "written" },
      { kind: "rejected", reason: "invalid_argument" },
      { kind: "kept" },
    ]);
    expect([answer, failure]).to.deep.equal(["whole", undefined]);
  });

  it("knows the three meanings of RESOURCE_EXHAUSTED", () => {
    const code = "RESOURCE_EXHAUSTED";
    const large = judgeBatch(2, [], { code, details: "grpc: received message larger than max (17 vs. 16)" });
    expect(large.outcomes).to.deep.equal([{ kind: "rejected", reason: "too_large" }, { kind: "kept" }]);
    for (const details of [
      "server is under memory pressure, please retry later",
      "Bandwidth exhausted or memory limit exceeded",
    ]) {
      const busy = judgeBatch(2, [], { code, details });
      expect(kinds(busy.outcomes)).to.deep.equal(["kept", "kept"]);
      expect(busy.failure?.floorMs).to.equal(5000);
    }
  });

  for (const status of ["NOT_FOUND", "EXPIRED_SCHEMA", "SCHEMA_NOT_APPLIED"]) {
    it(`asks for the schema after ${status}`, () => {
      const { outcomes, failure } = judgeBatch(2, replies("SUCCEED", status), OK);
      expect(kinds(outcomes)).to.deep.equal(["written", "kept"]);
      expect(failure).to.include({ code: status, remedy: "schema" });
    });
  }

  it("waits 30 s for a disk that is full", () => {
    const { outcomes, failure } = judgeBatch(1, replies("DISK_FULL"), OK);
    expect(kinds(outcomes)).to.deep.equal(["kept"]);
    expect(failure).to.include({ code: "DISK_FULL", remedy: "retry", floorMs: 30_000 });
  });

  it("takes a refusal of single points for no outage", () => {
    const { outcomes, failure } = judgeBatch(2, replies("SUCCEED", "INTERNAL_ERROR"), OK);
    expect(outcomes[1]).to.deep.equal({ kind: "struck", reason: "internal_error" });
    expect(failure).to.equal(undefined);
  });

  it("takes a refusal of all points for an outage", () => {
    const { outcomes, failure } = judgeBatch(2, replies("INTERNAL_ERROR", "INTERNAL_ERROR"), OK);
    expect(kinds(outcomes)).to.deep.equal(["struck", "struck"]);
    expect(failure).to.include({ code: "INTERNAL_ERROR", remedy: "retry" });
  });

  it("treats a status that it does not know like INTERNAL_ERROR", () => {
    expect(kinds(judgeBatch(1, replies("SOMETHING_NEW"), OK).outcomes)).to.deep.equal(["struck"]);
  });

  it("keeps what a stream that ended well said nothing about", () => {
    const { outcomes, failure } = judgeBatch(2, [], OK);
    expect(kinds(outcomes)).to.deep.equal(["kept", "kept"]);
    expect(failure?.code).to.equal("ACK_MISSING");
  });

  it("believes replies even where the stream then broke", () => {
    const { outcomes, answer, failure } = judgeBatch(2, replies("SUCCEED"), {
      code: "UNAVAILABLE",
      details: "",
    });
    expect(kinds(outcomes)).to.deep.equal(["written", "kept"]);
    expect([answer, failure?.code]).to.deep.equal(["part", "UNAVAILABLE"]);
  });

  it("counts the tries of a precondition that fails", () => {
    const { outcomes } = judgeBatch(2, [], { code: "FAILED_PRECONDITION", details: "" });
    expect(kinds(outcomes)).to.deep.equal(["struck", "struck"]);
  });

  it("ignores replies to messages that were never sent", () => {
    const { outcomes } = judgeBatch(
      1,
      [
        { messageId: 0, status: "STATUS_SUCCEED" },
        { messageId: 9, status: "STATUS_SUCCEED" },
      ],
      OK,
    );
    expect(kinds(outcomes)).to.deep.equal(["kept"]);
  });

  it("waits for an operator where credentials are refused, and longer for another server version", () => {
    const floor = (code: string): number => callFailure({ code, details: "" }).floorMs;
    expect(["UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED", "INTERNAL"].map(floor)).to.deep.equal([
      30_000, 30_000, 300_000, 0,
    ]);
  });
});
