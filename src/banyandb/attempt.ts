/** One attempt: know the schema, pick the next batch, send it, and tell the queue what became of it. */
import type { MeasureSpec } from "../model/measure.js";
import { createEncoder } from "./encode.js";
import { BanyanError } from "./errors.js";
import { callFailure, judgeBatch, type Failure } from "./outcome.js";
import type { Batch, TickQueue } from "./queue.js";
import type { RowMapping } from "./rows.js";
import type { Mappings, SchemaKeeper } from "./schema-keeper.js";
import type { StreamResult, Transport } from "./transport.js";

export interface AttemptParts {
  readonly queue: TickQueue;
  readonly transport: Transport;
  readonly schema: SchemaKeeper;
  readonly deadlineMs: number;
  /** Delay before a conflicting schema is looked at again. */
  readonly conflictRetryMs: number;
  readonly monotonicMs: () => number;
  /** A stream ended with this gRPC code. */
  readonly onStream: (code: string) => void;
}

/** Makes the function that attempts once; it never rejects, and says what failed. */
export function createAttempt(parts: AttemptParts): (signal: AbortSignal) => Promise<Failure | undefined> {
  const { queue, transport, schema, deadlineMs, conflictRetryMs, monotonicMs, onStream } = parts;
  const encoder = createEncoder();

  const encode = (batch: Batch, mappings: Mappings): Buffer[] =>
    batch.points.map(({ tick, sample }, i) =>
      encoder.row(mappingOf(mappings, sample.measure), tick, sample, i + 1),
    );

  const send = async (batch: Batch, mappings: Mappings, signal: AbortSignal): Promise<StreamResult> => {
    try {
      return await transport.writeBatch(encode(batch, mappings), { deadlineMs, signal });
    } catch (error) {
      // Whatever happens, the queue must get its batch back.
      const { code, message } = BanyanError.from(error, "write", transport.address());
      return { replies: [], status: { code, details: message } };
    }
  };

  return async (signal) => {
    let mappings: Mappings | undefined;
    try {
      mappings = await schema.mappings(signal);
    } catch (error) {
      const { code, message } = BanyanError.from(error, "ensure schema", transport.address());
      return callFailure({ code, details: message });
    }
    if (!mappings) {
      const message = schema.status().diff.join("; ");
      return { code: "SCHEMA_CONFLICT", message, remedy: "retry", floorMs: conflictRetryMs };
    }
    const batch = queue.next(monotonicMs());
    if (!batch) return undefined;
    const { replies, status } = await send(batch, mappings, signal);
    onStream(status.code);
    const { outcomes, answered, failure } = judgeBatch(batch.points.length, replies, status);
    queue.settle(batch, outcomes, answered, monotonicMs());
    if (failure?.remedy === "schema") schema.forget();
    return failure;
  };
}

function mappingOf(mappings: Mappings, measure: MeasureSpec): RowMapping {
  const mapping = mappings.get(measure);
  if (!mapping) throw new Error(`measure ${measure.name} is not part of the schema`);
  return mapping;
}
