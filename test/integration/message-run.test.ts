import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { openTransport } from "../../src/banyandb/transport.js";

/** A gRPC server that takes bytes for what they are, and says no more than OK. */
async function startByteServer() {
  const chunks: Buffer[] = [];
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => {
      stream.sendTrailers({ "grpc-status": "0" });
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => stream.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, chunks, server };
}

describe("a batch on the wire", () => {
  it("is each message behind its header, in few frames", async () => {
    const { address, chunks, server } = await startByteServer();
    const transport = openTransport({ endpoints: [address], username: undefined, password: undefined });
    const messages = Array.from({ length: 400 }, (_, i) => Buffer.alloc((7 * i) % 450, i));
    messages[100] = Buffer.alloc(100_000, 7);
    const { status } = await transport.writeBatch(messages, { deadlineMs: 10_000 });
    transport.close();
    server.close();
    expect(status.code).to.equal("OK");
    const expected = messages.flatMap((message) => {
      const header = Buffer.alloc(5);
      header.writeUInt32BE(message.length, 1);
      return [header, message];
    });
    expect(Buffer.concat(chunks).equals(Buffer.concat(expected))).to.equal(true);
    // By themselves they would be one frame each, which a newer grpc-js could bring back.
    expect(chunks.length).to.be.below(50);
  });
});
