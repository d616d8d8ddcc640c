/** One write stream: every message out, every reply in, and how it ended. */
import * as grpc from "@grpc/grpc-js";
import { codeName } from "./call-limit.js";
import type { Sendable } from "./message-run.js";
import type { Reply, StreamStatus } from "./outcome.js";

export interface StreamResult {
  readonly replies: readonly Reply[];
  readonly status: StreamStatus;
}

export type WriteStream = grpc.ClientDuplexStream<Sendable, Reply>;

/** Reads from the first moment on (both sides could block otherwise) until the stream has said how it ended. */
export function readAll(stream: WriteStream): Promise<StreamResult> {
  return new Promise((resolve) => {
    const replies: Reply[] = [];
    let status: StreamStatus | undefined;
    let ended = false;
    const finish = (): void => {
      if (ended && status !== undefined) resolve({ replies, status });
    };
    stream.on("data", (reply: Reply) => replies.push(reply));
    stream.on("end", () => {
      ended = true;
      finish();
    });
    stream.on("status", ({ code, details }: grpc.StatusObject) => {
      status = { code: codeName(code), details };
      finish();
    });
    // The status says the same, and always comes.
    stream.on("error", () => undefined);
  });
}

/** Writes all messages and ends our side, as fast as the other side takes them. */
export async function writeAll(
  stream: WriteStream,
  messages: readonly Sendable[],
  result: Promise<StreamResult>,
): Promise<void> {
  const progress = { over: false };
  const end = result.then(() => {
    progress.over = true;
  });
  for (const message of messages) {
    if (progress.over) return;
    // After the status there is no drain any more, so waiting for it alone would be for ever.
    if (!stream.write(message)) await Promise.race([end, drained(stream)]);
  }
  stream.end();
}

function drained(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => stream.once("drain", resolve));
}
