import { create, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { parseReply } from "../../../src/banyandb/reply.js";
import { WriteResponseSchema } from "../../../src/gen/banyandb/measure/v1/measure_pb.js";

const bytesOf = (messageId: bigint, status: string): Buffer =>
  Buffer.from(
    toBinary(
      WriteResponseSchema,
      create(WriteResponseSchema, {
        messageId,
        status,
        metadata: { group: "g", name: "m", modRevision: 2n ** 62n },
      }),
    ),
  );

describe("a reply to a write", () => {
  for (const messageId of [0n, 1n, 127n, 128n, 5000n, 2n ** 40n]) {
    for (const status of ["", "STATUS_SUCCEED", "STATUS_DISK_FULL", "STATUS_ÄÖ"]) {
      it(`is read as the generated decoder reads it: ${messageId}, "${status}"`, () => {
        expect(parseReply(bytesOf(messageId, status))).to.deep.equal({
          messageId: Number(messageId),
          status,
        });
      });
    }
  }

  it("may have fields of a later version", () => {
    const later = [0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x45, 1, 2, 3, 4, 0x48, 0x96, 1, 0x52, 2, 65, 66];
    const bytes = Buffer.concat([Buffer.from(later), bytesOf(7n, "STATUS_SUCCEED")]);
    expect(parseReply(bytes)).to.deep.equal({ messageId: 7, status: "STATUS_SUCCEED" });
  });

  it("is refused where it is cut off, at any place but between two fields", () => {
    const bytes = bytesOf(300n, "STATUS_SUCCEED");
    // The id ends after 3 bytes, the status after 16 more.
    for (let length = 1; length < bytes.length; length++) {
      if (length === 3 || length === 19) continue;
      expect(() => parseReply(bytes.subarray(0, length)), String(length)).to.throw(RangeError);
    }
  });
});
