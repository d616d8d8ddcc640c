import { expect } from "chai";
import {
  framesRuns,
  messageRuns,
  type MessageRun,
  type Sendable,
} from "../../../src/banyandb/message-run.js";

const HEADER_BYTES = 5;

/** As grpc-js frames what it takes for one message. */
function framed(run: MessageRun): Buffer {
  const output = Buffer.alloc(run.length + HEADER_BYTES, 0xff);
  output.writeUInt8(0, 0);
  output.writeUInt32BE(run.length, 1);
  run.copy(output, HEADER_BYTES);
  return output;
}

function oneByOne(messages: readonly Buffer[]): Buffer {
  const header = (length: number) => Buffer.from([0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  return Buffer.concat(messages.flatMap((message) => [header(message.length), message]));
}

const messages = (...lengths: number[]) => lengths.map((length, i) => Buffer.alloc(length, i + 1));

describe("a run of messages", () => {
  it("is the bytes of message after message", () => {
    const sent = messages(300, 0, 1, 40_000, 70_000, 20_000, 13_000, 0, 300);
    const runs = messageRuns(sent);
    expect(Buffer.concat(runs.map((run) => framed(run)))).to.deep.equal(oneByOne(sent));
  });

  it("is no longer than 32 KiB, but for one message that is", () => {
    const sent = messages(...new Array<number>(500).fill(300), 40_000, 300);
    const bytes = messageRuns(sent).map(({ length }) => length + HEADER_BYTES);
    expect(bytes.filter((length) => length > 32 * 1024)).to.deep.equal([40_000 + HEADER_BYTES]);
    expect(bytes).to.have.lengthOf(7);
  });

  it("is framed as it must be by the grpc-js that is installed", async () => {
    expect(await framesRuns()).to.equal(true);
  });

  it("is not sent where messages are framed in another way", async () => {
    const frames: Record<string, (message: Buffer) => Buffer> = {
      "a header of six bytes": (message) => {
        const output = Buffer.alloc(6 + message.length);
        message.copy(output, 6);
        return output;
      },
      "bytes that are not asked to copy themselves": (message) => {
        const output = Buffer.alloc(HEADER_BYTES + message.length);
        output.set(message, HEADER_BYTES);
        return output;
      },
      "only what is a Buffer": (message) => Buffer.concat([Buffer.alloc(HEADER_BYTES), message]),
    };
    for (const [name, frame] of Object.entries(frames)) {
      const sendMessage = async (sent: Promise<{ message: Sendable }>) => ({
        message: frame((await sent).message as Buffer),
      });
      class CompressionFilterFactory {
        createFilter() {
          return { sendMessage };
        }
      }
      expect(await framesRuns(() => Promise.resolve({ CompressionFilterFactory })), name).to.equal(false);
    }
    expect(await framesRuns(() => Promise.reject(new Error("no such file")))).to.equal(false);
  });
});
