/** A server that answers as a test says: around a write batch of the embedded one. */
import { create } from "@bufbuild/protobuf";
import type { status } from "@grpc/grpc-js";
import { invalidArgument, RpcError } from "../../src/embedded/rpc-error.js";
import type { WriteBatch } from "../../src/embedded/write-batch.js";
import {
  WriteResponseSchema,
  type WriteRequest,
  type WriteResponse,
} from "../../src/gen/banyandb/measure/v1/measure_pb.js";

export interface WriteScript {
  /** Ends every stream at its first message, and stores nothing. */
  readonly refuse?: { readonly code: status; readonly details: string };
  /** The status that answers a message, which is then not stored; INVALID_ARGUMENT ends the stream. */
  readonly answer?: (request: WriteRequest) => string | undefined;
  /** What is acknowledged and not stored. */
  readonly forgets?: (request: WriteRequest) => boolean;
  /** What is stored and not acknowledged. */
  readonly mutes?: (request: WriteRequest) => boolean;
  /** Called when a batch is stored and nothing is acknowledged yet. */
  readonly stored?: () => void;
}

function reply({ metadata, messageId }: WriteRequest, status: string): WriteResponse {
  return create(WriteResponseSchema, { ...(metadata ? { metadata } : {}), messageId, status });
}

export function scriptedBatch(batch: WriteBatch, script: WriteScript): WriteBatch {
  const forgotten: WriteResponse[] = [];
  const muted = new Set<bigint>();
  return {
    admit(request) {
      if (script.refuse) {
        return { kind: "ended", error: new RpcError(script.refuse.code, script.refuse.details) };
      }
      const status = script.answer?.(request);
      if (status === "INVALID_ARGUMENT") return { kind: "ended", error: invalidArgument("invalid message") };
      if (status !== undefined) return { kind: "refused", reply: reply(request, status) };
      if (script.forgets?.(request) === true) {
        forgotten.push(reply(request, "STATUS_SUCCEED"));
        return { kind: "admitted" };
      }
      if (script.mutes?.(request) === true) muted.add(request.messageId);
      return batch.admit(request);
    },
    commit() {
      const replies = batch.commit().filter(({ messageId }) => !muted.has(messageId));
      script.stored?.();
      return [...replies, ...forgotten];
    },
  };
}
