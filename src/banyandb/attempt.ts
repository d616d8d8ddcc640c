/** One attempt: know the schema, trust the clock, pick the next batch, send it, and tell the queue what became of it. */
import type { MeasureSpec } from "../model/measure.js";
import type { ClockKeeper } from "./clock-keeper.js";
import type { Testimony } from "./clock-witness.js";
import type { StreamRecord } from "./delivery-numbers.js";
import { createEncoder } from "./encode.js";
import { BanyanError } from "./errors.js";
import { callFailure, judgeBatch, type Failure } from "./outcome.js";
import type { Batch, TickQueue } from "./queue.js";
import type { RowMapping } from "./rows.js";
import type { Mappings, SchemaKeeper } from "./schema-keeper.js";
import type { Transport } from "./transport.js";
import type { StreamResult } from "./write-stream.js";

export interface AttemptParts {
  readonly queue: TickQueue;
  readonly transport: Transport;
  readonly schema: SchemaKeeper;
  readonly clock: ClockKeeper;
  readonly askWitnesses: (signal: AbortSignal) => Promise<Testimony>;
  readonly deadlineMs: number;
  /** Delay before a conflicting schema is looked at again. */
  readonly conflictRetryMs: number;
  /** Delay before a clock that cannot be trusted is looked at again. */
  readonly clockRetryMs: number;
  readonly monotonicMs: () => number;
  /** A stream has ended. */
  readonly onStream: (stream: StreamRecord) => void;
}

/** Makes the function that attempts once; it never rejects, and says what failed. */
export function createAttempt(parts: AttemptParts): (signal: AbortSignal) => Promise<Failure | undefined> {
  const { queue, transport, schema, deadlineMs, conflictRetryMs, clockRetryMs, monotonicMs, onStream } =
    parts;
  const encoder = createEncoder();

  const encode = (batch: Batch, mappings: Mappings): Buffer[] =>
    batch.points.map(({ tick, sample }, i) =>
      encoder.row(mappingOf(mappings, sample.measure), tick, sample, i + 1),
    );

  const send = async (
    batch: Batch,
    mappings: Mappings,
    signal: AbortSignal,
  ): Promise<StreamResult & { readonly messages: readonly Buffer[] }> => {
    let messages: Buffer[] = [];
    try {
      messages = encode(batch, mappings);
      return { messages, ...(await transport.writeBatch(messages, { deadlineMs, signal })) };
    } catch (error) {
      // Whatever happens, the queue must get its batch back.
      const { code, message } = BanyanError.from(error, "write", transport.address());
      return { messages, replies: [], status: { code, details: message } };
    }
  };

  /** What must be known before anything is written; a failure where it cannot be. */
  const prepare = async (signal: AbortSignal): Promise<Mappings | Failure> => {
    let operation = "ensure schema";
    try {
      const mappings = await schema.mappings(signal);
      if (!mappings) {
        const message = schema.status().diff.join("; ");
        return { code: "SCHEMA_CONFLICT", message, remedy: "retry", floorMs: conflictRetryMs };
      }
      operation = "ask for the time";
      const held = await parts.clock.check(() => parts.askWitnesses(signal));
      if (held === undefined) return mappings;
      return { code: "CLOCK", message: held, remedy: "clock", floorMs: clockRetryMs };
    } catch (error) {
      const { code, message } = BanyanError.from(error, operation, transport.address());
      return callFailure({ code, details: message });
    }
  };

  return async (signal) => {
    const prepared = await prepare(signal);
    if ("remedy" in prepared) return prepared;
    const batch = queue.next(monotonicMs());
    if (!batch) return undefined;
    const beganMs = monotonicMs();
    const { messages, replies, status } = await send(batch, prepared, signal);
    const { outcomes, answer, failure } = judgeBatch(batch.points.length, replies, status);
    const endedMs = monotonicMs();
    queue.settle(batch, outcomes, answer, endedMs);
    const acknowledged = messages.filter((_, i) => outcomes[i]?.kind === "written");
    onStream({
      code: status.code,
      durationMs: endedMs - beganMs,
      points: batch.points.length,
      acknowledgedPoints: acknowledged.length,
      acknowledgedBytes: acknowledged.reduce((sum, message) => sum + message.length, 0),
      endedMs,
    });
    if (failure?.remedy === "schema") schema.forget();
    return failure;
  };
}

function mappingOf(mappings: Mappings, measure: MeasureSpec): RowMapping {
  const mapping = mappings.get(measure);
  if (!mapping) throw new Error(`measure ${measure.name} is not part of the schema`);
  return mapping;
}
