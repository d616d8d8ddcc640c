/**
 * A banyandb.measure.v1.WriteResponse: its id (field 1) and status (field 2), the rest is skipped. By hand, since
 * there is one for every row (docs/decisions/0002); a test holds it against the generated decoder.
 */
import type { Reply } from "./outcome.js";

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** The statuses that came, by their bytes: nearly always one and the same. */
let lastBytes: Buffer = Buffer.alloc(0);
let lastText = "";

/** @throws RangeError where the bytes are no such message */
export function parseReply(bytes: Buffer): Reply {
  let messageId = 0;
  let status = "";
  let at = 0;

  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("a reply of BanyanDB ends too soon");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };

  while (at < bytes.length) {
    const key = varint();
    switch (key & 7) {
      case VARINT: {
        const value = varint();
        if (key >>> 3 === 1) messageId = value;
        break;
      }
      case BYTES: {
        const end = varint() + at;
        if (end > bytes.length) throw new RangeError("a reply of BanyanDB ends too soon");
        if (key >>> 3 === 2) status = textOf(bytes.subarray(at, end));
        at = end;
        break;
      }
      case FIXED64:
        at += 8;
        break;
      case FIXED32:
        at += 4;
        break;
      default:
        throw new RangeError("a reply of BanyanDB cannot be read");
    }
  }
  return { messageId, status };
}

function textOf(bytes: Buffer): string {
  if (!bytes.equals(lastBytes)) {
    lastBytes = Buffer.from(bytes);
    lastText = bytes.toString("utf8");
  }
  return lastText;
}
