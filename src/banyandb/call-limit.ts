/** How long a call may take, and how it ended: by the monotonic clock, and without secrets. */
import * as grpc from "@grpc/grpc-js";
import { withoutSecret, type Account } from "./channel-credentials.js";
import type { StreamStatus } from "./outcome.js";

export interface CallLimit {
  /** How the call ended: with our deadline, where it was that. Free of secrets. */
  status(status: StreamStatus, account: Account): StreamStatus;
  end(): void;
}

/**
 * Cancels a call at its deadline, or when the signal fires. grpc-js measures its own deadlines by the wall clock,
 * which may be set meanwhile; the server gets the same limit as a span of time (grpc-timeout).
 */
export function limitCall(
  call: { cancel(): void },
  deadlineMs: number,
  signal: AbortSignal | undefined,
): CallLimit {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    call.cancel();
  }, deadlineMs);
  const release = onAbort(signal, () => {
    call.cancel();
  });
  return {
    status: (status, account) =>
      late && status.code === "CANCELLED"
        ? { code: "DEADLINE_EXCEEDED", details: `no answer within ${deadlineMs} ms` }
        : { code: status.code, details: withoutSecret(status.details, account) },
    end() {
      clearTimeout(timer);
      release();
    },
  };
}

/** Runs `action` when the signal fires; the result undoes that. */
function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal?.aborted) action();
  else signal?.addEventListener("abort", action, { once: true });
  return () => {
    signal?.removeEventListener("abort", action);
  };
}

/** How a call ended; null where it has an answer or none at all. */
export function statusOf(error: grpc.ServiceError | null): StreamStatus {
  return error
    ? { code: codeName(error.code), details: error.details }
    : { code: "INTERNAL", details: "no answer" };
}

/** Name of a gRPC code. */
export function codeName(code: grpc.status): string {
  return grpc.status[code];
}
