/** What delivery counts of itself, beside the books of the queue. */
import type { DeliveryStatus } from "../model/status.js";
import { zeroes } from "../model/zeroes.js";
import { createHistogram } from "./histogram.js";

/** Names of the codes a call can end with (https://grpc.io/docs/guides/status-codes/). */
const GRPC_CODES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** From a loopback to the deadline of a stream. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];
/** Up to the bound of a batch. */
const POINTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

/** How one write stream went. */
export interface StreamRecord {
  /** Name of a gRPC code. */
  readonly code: string;
  readonly durationMs: number;
  readonly points: number;
  readonly acknowledgedPoints: number;
  /** Encoded bytes of those. */
  readonly acknowledgedBytes: number;
  readonly endedMs: number;
}

export interface DeliveryNumbers {
  record(stream: StreamRecord): void;
  read(
    nowMs: number,
  ): Pick<DeliveryStatus, "streams" | "bytesWritten" | "writeSeconds" | "batchPoints" | "lastWrittenAgeMs">;
}

export function createDeliveryNumbers(): DeliveryNumbers {
  const streams: Record<string, number> = zeroes(GRPC_CODES);
  const writeSeconds = createHistogram(SECONDS);
  const batchPoints = createHistogram(POINTS);
  let bytesWritten = 0;
  let lastWrittenMs: number | undefined;
  return {
    record({ code, durationMs, points, acknowledgedPoints, acknowledgedBytes, endedMs }) {
      streams[code] = (streams[code] ?? 0) + 1;
      writeSeconds.observe(durationMs / 1000);
      batchPoints.observe(points);
      bytesWritten += acknowledgedBytes;
      if (acknowledgedPoints > 0) lastWrittenMs = endedMs;
    },
    read: (nowMs) => ({
      streams: { ...streams },
      bytesWritten,
      writeSeconds: writeSeconds.read(),
      batchPoints: batchPoints.read(),
      lastWrittenAgeMs: lastWrittenMs === undefined ? undefined : nowMs - lastWrittenMs,
    }),
  };
}
