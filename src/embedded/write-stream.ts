/** A write batch on a gRPC stream: when replies leave, and how the stream ends. */
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { WriteRequest, WriteResponse } from "../gen/banyandb/measure/v1/measure_pb.js";
import type { WriteBatch } from "./write-batch.js";

/** From one start of the server to its end. */
export interface Life {
  /** True once the server has ended: streams that notice it later must not store anything. */
  ended: boolean;
}

export type WriteCall = ServerDuplexStream<WriteRequest, WriteResponse>;

/** Serves one stream to its end. */
export function serveWrite(call: WriteCall, batch: WriteBatch, life: Life): void {
  let open = true;

  /** True for the first caller only. */
  function close(): boolean {
    const first = open;
    open = false;
    return first && !life.ended;
  }
  function commitAndReply(): void {
    for (const reply of batch.commit()) call.write(reply);
  }

  call.on("data", (request: WriteRequest) => {
    if (!open) return;
    const admission = batch.admit(request);
    switch (admission.kind) {
      case "admitted":
        return;
      case "refused":
        call.write(admission.reply);
        return;
      case "ended":
        if (!close()) return;
        commitAndReply();
        call.emit("error", admission.error);
        return;
      case "lost":
        if (close()) call.emit("error", admission.error);
        return;
    }
  });
  call.on("end", () => {
    if (!close()) return;
    commitAndReply();
    call.end();
  });
  // Cancelled, past its deadline, or the connection is gone: what was admitted is stored all the same.
  call.on("cancelled", () => {
    if (close()) batch.commit();
  });
}
