/**
 * Many messages of a stream, written at once. grpc-js takes a turn of the event loop, a system call and some ten
 * callbacks for each message of a stream, which costs more than to encode it (docs/decisions/0002). It frames a message
 * by itself, in a buffer of its own (its compression-filter.js): five bytes of header, then what `copy` of the message
 * puts behind them. A run is no Buffer, but has that `length` and that `copy`, and puts there all of its messages with
 * their headers: the bytes that come to the server are those of message after message.
 */

/** What a stream takes as one message. */
export type Sendable = Buffer | MessageRun;

export interface MessageRun {
  /** Of all messages and their headers, less the first header, for which grpc-js adds the room. */
  readonly length: number;
  copy(target: Buffer, at: number): number;
}

/** A byte that says "not compressed", and the length in four: gRPC over HTTP2, "Length-Prefixed-Message". */
const HEADER_BYTES = 5;
/** Two frames of HTTP/2, and half of what a server takes before it gives more room (RFC 9113, 6.5.2). */
const RUN_BYTES = 32 * 1024;

/** The same messages, in the same order, in few runs. */
export function messageRuns(messages: readonly Buffer[]): MessageRun[] {
  const runs: Buffer[][] = [];
  let bytes = RUN_BYTES;
  for (const message of messages) {
    bytes += HEADER_BYTES + message.length;
    if (bytes > RUN_BYTES) {
      runs.push([]);
      bytes = HEADER_BYTES + message.length;
    }
    runs.at(-1)?.push(message);
  }
  return runs.map(runOf);
}

function runOf(messages: readonly Buffer[]): MessageRun {
  const length = messages.reduce((sum, message) => sum + HEADER_BYTES + message.length, -HEADER_BYTES);
  return {
    length,
    copy(target, at) {
      // The header that is there already is that of a message as long as the run.
      let end = at - HEADER_BYTES;
      for (const message of messages) {
        target[end] = 0;
        target.writeUInt32BE(message.length, end + 1);
        end += HEADER_BYTES;
        target.set(message, end);
        end += message.length;
      }
      return length;
    },
  };
}

/** The filter of grpc-js, as far as it is used here. */
interface FramingModule {
  readonly CompressionFilterFactory: new (
    channel: undefined,
    options: object,
  ) => {
    createFilter(): {
      sendMessage(message: Promise<{ message: Sendable }>): Promise<{ message: Uint8Array }>;
    };
  };
}

const loadFraming = () =>
  import("@grpc/grpc-js/build/src/compression-filter.js") as Promise<unknown> as Promise<FramingModule>;

/** Whether the code that will frame a run makes of it what it should; false for a grpc-js of another kind. */
export async function framesRuns(load: () => Promise<FramingModule> = loadFraming): Promise<boolean> {
  try {
    const { CompressionFilterFactory } = await load();
    const run = runOf([Buffer.of(1), Buffer.of(), Buffer.of(2, 3)]);
    const { message } = await new CompressionFilterFactory(undefined, {})
      .createFilter()
      .sendMessage(Promise.resolve({ message: run }));
    return Buffer.of(0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 3).equals(message);
  } catch {
    return false;
  }
}
