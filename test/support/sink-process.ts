/** A process that takes every write stream, counts its messages and acknowledges them; it decodes nothing. */
import { create, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { MeasureService, WriteResponseSchema } from "../../src/gen/banyandb/measure/v1/measure_pb.js";

export interface SinkProcess {
  /** host:port */
  readonly address: string;
  close(): Promise<void>;
}

const SELF = fileURLToPath(import.meta.url);
const WRITE_PATH = `/${MeasureService.typeName}/${MeasureService.method.write.name}`;

export async function startSinkProcess(): Promise<SinkProcess> {
  const child = fork(SELF, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [address] = (await once(child, "message")) as [string];
  return {
    address,
    async close() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A reply as BanyanDB gives it. */
function acknowledgement(messageId: number): Buffer {
  const reply = { messageId: BigInt(messageId), status: "STATUS_SUCCEED" };
  return Buffer.from(toBinary(WriteResponseSchema, create(WriteResponseSchema, reply)));
}

if (process.argv[1] === SELF) {
  const server = new grpc.Server();
  const raw = (bytes: Buffer): Buffer => bytes;
  server.register<Buffer, Buffer>(
    WRITE_PATH,
    (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      let count = 0;
      call.on("data", () => count++);
      call.on("end", () => {
        for (let id = 1; id <= count; id++) call.write(acknowledgement(id));
        call.end();
      });
    },
    raw,
    raw,
    "bidi",
  );
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.send?.(`127.0.0.1:${port}`);
  });
  process.once("disconnect", () => process.exit());
}
