import { EventEmitter } from "node:events";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { RpcError } from "../../../src/embedded/rpc-error.js";
import type { Admission, WriteBatch } from "../../../src/embedded/write-batch.js";
import { serveWrite } from "../../../src/embedded/write-stream.js";
import type { Life, WriteCall } from "../../../src/embedded/write-stream.js";
import { WriteRequestSchema, WriteResponseSchema } from "../../../src/gen/banyandb/measure/v1/measure_pb.js";

const reply = (name: string) => create(WriteResponseSchema, { status: name });

describe("embedded BanyanDB: write stream", () => {
  let events: string[];
  let life: Life;
  let call: EventEmitter;

  /** Serves a stream whose batch admits as told; what it does is written to `events`. */
  function serve(...admissions: Admission[]): void {
    events = [];
    life = { ended: false };
    call = Object.assign(new EventEmitter(), {
      write: ({ status: name }: { status: string }) => events.push(`reply ${name}`),
      end: () => events.push("OK"),
    });
    call.on("error", ({ code }: RpcError) => events.push(status[code]));
    const batch: WriteBatch = {
      admit: () => admissions.shift() ?? { kind: "admitted" },
      commit: () => {
        events.push("commit");
        return [reply("stored")];
      },
    };
    serveWrite(call as unknown as WriteCall, batch, life);
  }
  const send = (): void => void call.emit("data", create(WriteRequestSchema));

  it("replies to what was admitted when the client has ended its side, and then ends", () => {
    serve();
    send();
    expect(events).to.deep.equal([]);
    call.emit("end");
    expect(events).to.deep.equal(["commit", "reply stored", "OK"]);
  });

  it("replies to what is refused at once", () => {
    serve({ kind: "refused", reply: reply("refused") });
    send();
    expect(events).to.deep.equal(["reply refused"]);
  });

  it("stores and answers the earlier messages before it ends with an error, and ignores later ones", () => {
    serve({ kind: "ended", error: new RpcError(status.INVALID_ARGUMENT, "bad") });
    send();
    send();
    call.emit("end");
    expect(events).to.deep.equal(["commit", "reply stored", "INVALID_ARGUMENT"]);
  });

  it("stores nothing of a lost stream", () => {
    serve({ kind: "admitted" }, { kind: "lost", error: new RpcError(status.INTERNAL, "panic") });
    send();
    send();
    call.emit("end");
    call.emit("cancelled");
    expect(events).to.deep.equal(["INTERNAL"]);
  });

  it("stores what was admitted when it is cancelled, once, and replies to nobody", () => {
    serve();
    send();
    call.emit("cancelled");
    call.emit("end");
    expect(events).to.deep.equal(["commit"]);
  });

  it("stores nothing once the server has ended", () => {
    serve();
    send();
    life.ended = true;
    call.emit("cancelled");
    expect(events).to.deep.equal([]);
  });
});
