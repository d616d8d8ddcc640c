/** Timestamps as BanyanDB checks them (pkg/timestamp/nano.go at apache/skywalking-banyandb 9ebac4516). */
import type { Timestamp } from "@bufbuild/protobuf/wkt";

const NANOS_PER_SECOND = 1_000_000_000n;
const NANOS_PER_MS = 1_000_000;
const MAX_INT64 = 2n ** 63n - 1n;

/** Milliseconds since the epoch, or what is wrong with it. */
export function wholeMs(timestamp: Timestamp | undefined): number | { readonly problem: string } {
  if (timestamp === undefined) return { problem: "time is empty" };
  const nanos = timestamp.seconds * NANOS_PER_SECOND + BigInt(timestamp.nanos);
  if (nanos > MAX_INT64 || nanos < -MAX_INT64 - 1n) return { problem: "time is out of range" };
  if (timestamp.nanos % NANOS_PER_MS !== 0) return { problem: "time is not millisecond precision" };
  return Number(timestamp.seconds) * 1000 + timestamp.nanos / NANOS_PER_MS;
}
