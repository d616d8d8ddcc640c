/**
 * What became of each point of a batch, and what is wrong if something is: from the replies of the server and
 * the status that its stream ended with. Pure. Two of the status names lie in wait: SUCCEED says "admitted", not
 * "stored" (hence the replay window of the queue), and INTERNAL_ERROR says nothing about storage either.
 */

export const REJECT_REASONS = [
  "invalid_timestamp",
  "invalid_argument",
  "too_large",
  "internal_error",
  "failed_precondition",
  "out_of_range",
] as const;

export type RejectReason = (typeof REJECT_REASONS)[number];

/**
 * written: acknowledged. rejected: will never be taken. kept: to be sent again. struck: kept, but rejected
 * for `reason` if that happens too often while other points are taken.
 */
export type Outcome =
  | { readonly kind: "written" }
  | { readonly kind: "kept" }
  | { readonly kind: "rejected"; readonly reason: RejectReason }
  | { readonly kind: "struck"; readonly reason: RejectReason };

/** What the next attempt must do or wait for. */
export interface Failure {
  /** Name of a gRPC code, or of a status of the write call. */
  readonly code: string;
  readonly message: string;
  /**
   * retry: after the usual delay. schema: ask for the schema first, and do not count this as an attempt.
   * clock: wait for a wall clock that is right; BanyanDB is not in trouble.
   */
  readonly remedy: "retry" | "schema" | "clock";
  /** Least delay, in milliseconds. */
  readonly floorMs: number;
}

export interface Reply {
  /** As in the message that it answers: 1 … n within a stream. */
  readonly messageId: number;
  /** Name of a banyandb.model.v1.Status. */
  readonly status: string;
}

/** How a stream ended. */
export interface StreamStatus {
  /** Name of a gRPC code. */
  readonly code: string;
  readonly details: string;
}

/**
 * How much the server said about a batch. whole: something to every message, or which message it ended the stream
 * for. part: the stream ended before that, for want of time or of a connection. none: not a word.
 */
export type Answer = "whole" | "part" | "none";

export interface Verdict {
  /** One per message, in order of message id. */
  readonly outcomes: readonly Outcome[];
  readonly answer: Answer;
  /** Undefined when nothing needs to wait. */
  readonly failure: Failure | undefined;
}

/** The server sheds load for as long as its memory is short (delivery floor, docs/decisions/0002). */
const OVERLOAD_FLOOR_MS = 5_000;
/** Neither a full disk nor a password is mended within seconds. */
const OPERATOR_FLOOR_MS = 30_000;
/** A server that does not know the call, or this version of it, must be replaced first. */
const UNSUPPORTED_FLOOR_MS = 300_000;

const WRITTEN: Outcome = { kind: "written" };
const KEPT: Outcome = { kind: "kept" };

/** Least delay after a gRPC code; the others have none. */
const CODE_FLOORS_MS: Readonly<Record<string, number>> = {
  RESOURCE_EXHAUSTED: OVERLOAD_FLOOR_MS,
  UNAUTHENTICATED: OPERATOR_FLOOR_MS,
  PERMISSION_DENIED: OPERATOR_FLOOR_MS,
  UNIMPLEMENTED: UNSUPPORTED_FLOOR_MS,
};

/** The failure of a call that ended with a gRPC code. */
export function callFailure({ code, details }: StreamStatus): Failure {
  return { code, message: details, remedy: "retry", floorMs: CODE_FLOORS_MS[code] ?? 0 };
}

function statusFailure(status: string, remedy: Failure["remedy"], floorMs: number): Failure {
  return { code: status.replace(/^STATUS_/, ""), message: "answer to a point", remedy, floorMs };
}

/** What one reply means (statuses: protos/banyandb/model/v1/model.proto). */
function judgeReply(status: string): { readonly outcome: Outcome; readonly failure?: Failure } {
  switch (status) {
    case "STATUS_SUCCEED":
    case "STATUS_VERSION_DEPRECATED":
      // The latter is only between nodes; the point was taken.
      return { outcome: WRITTEN };
    case "STATUS_INVALID_TIMESTAMP":
      return { outcome: { kind: "rejected", reason: "invalid_timestamp" } };
    case "STATUS_NOT_FOUND":
    case "STATUS_EXPIRED_SCHEMA":
    case "STATUS_SCHEMA_NOT_APPLIED":
      return { outcome: KEPT, failure: statusFailure(status, "schema", 0) };
    case "STATUS_DISK_FULL":
      return { outcome: KEPT, failure: statusFailure(status, "retry", OPERATOR_FLOOR_MS) };
    case "STATUS_VERSION_UNSUPPORTED":
      return { outcome: KEPT, failure: statusFailure(status, "retry", UNSUPPORTED_FLOOR_MS) };
    default:
      // INTERNAL_ERROR, and whatever status a later server may have.
      return {
        outcome: { kind: "struck", reason: "internal_error" },
        failure: statusFailure(status, "retry", 0),
      };
  }
}

/**
 * What a status of the whole stream means for the points without a reply. The culprit of an invalid or too
 * large message is the first of them: ids ascend, and the server answers the earlier ones before it ends the
 * stream (verified on 0.9.0, 0.10.3 and later).
 */
function judgeSilence({ code, details }: StreamStatus): { readonly first: Outcome; readonly rest: Outcome } {
  switch (code) {
    case "INVALID_ARGUMENT":
      return { first: { kind: "rejected", reason: "invalid_argument" }, rest: KEPT };
    case "RESOURCE_EXHAUSTED":
      // grpc-go's words; the same code also means "memory is short" and "too many pings", which concern no point.
      return details.includes("grpc: received message larger than max")
        ? { first: { kind: "rejected", reason: "too_large" }, rest: KEPT }
        : { first: KEPT, rest: KEPT };
    case "FAILED_PRECONDITION":
      return {
        first: { kind: "struck", reason: "failed_precondition" },
        rest: { kind: "struck", reason: "failed_precondition" },
      };
    case "OUT_OF_RANGE":
      return {
        first: { kind: "struck", reason: "out_of_range" },
        rest: { kind: "struck", reason: "out_of_range" },
      };
    default:
      return { first: KEPT, rest: KEPT };
  }
}

/** Of several failures the one that has to be waited for longest; the schema before all. */
function worse(a: Failure | undefined, b: Failure | undefined): Failure | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.remedy !== b.remedy) return a.remedy === "schema" ? a : b;
  return b.floorMs > a.floorMs ? b : a;
}

/** Judges a batch of `count` messages with the ids 1 … count. */
export function judgeBatch(count: number, replies: readonly Reply[], status: StreamStatus): Verdict {
  const outcomes = new Array<Outcome | undefined>(count).fill(undefined);
  let failure: Failure | undefined;
  for (const reply of replies) {
    if (reply.messageId < 1 || reply.messageId > count) continue;
    const judged = judgeReply(reply.status);
    outcomes[reply.messageId - 1] = judged.outcome;
    failure = worse(failure, judged.failure);
  }
  const silence = judgeSilence(status);
  const culprit = outcomes.indexOf(undefined);
  const judged = outcomes.map((outcome, i) => outcome ?? (i === culprit ? silence.first : silence.rest));
  const rejectedCulprit = culprit >= 0 && silence.first.kind === "rejected";
  if (status.code !== "OK" && !rejectedCulprit) failure = worse(failure, callFailure(status));
  if (status.code === "OK" && culprit >= 0) {
    failure = worse(
      failure,
      callFailure({ code: "ACK_MISSING", details: "the stream ended without all replies" }),
    );
  }
  const settled = judged.some(({ kind }) => kind === "written" || kind === "rejected");
  // A point that is refused while others are taken waits for its turn in the backlog; that is no outage.
  const pointOnly = settled && failure?.remedy === "retry" && failure.floorMs === 0 && status.code === "OK";
  return {
    outcomes: judged,
    answer: culprit < 0 || rejectedCulprit ? "whole" : replies.length > 0 ? "part" : "none",
    failure: pointOnly ? undefined : failure,
  };
}
