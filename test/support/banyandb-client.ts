/** Calls to a BanyanDB through grpc-js and the generated types, as plain as can be: for tests only. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { WriteRequestSchema, WriteResponse } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { MeasureService, WriteResponseSchema } from "../../src/gen/banyandb/measure/v1/measure_pb.js";

type Method<I extends DescMessage, O extends DescMessage> = DescMethod & { input: I; output: O };

/** How a call ended: a name such as "OK" or "NOT_FOUND", and the server's text. */
export interface CallStatus {
  readonly code: string;
  readonly details: string;
}

export interface WriteStream {
  /** Replies so far, in order of arrival. */
  readonly replies: readonly WriteResponse[];
  /** How the stream ended; never rejects. */
  readonly status: Promise<CallStatus>;
  send(request: MessageInitShape<typeof WriteRequestSchema>): void;
  /** Half-closes. */
  end(): void;
  cancel(): void;
}

export interface BanyandbClient {
  /** @throws grpc.ServiceError */
  call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageInitShape<I>,
    deadlineMs?: number,
  ): Promise<MessageShape<O>>;
  openWrite(deadlineMs?: number): WriteStream;
  /** Waits until it is connected: after an outage calls fail at once until then. */
  ready(): Promise<void>;
  close(): void;
}

const DEADLINE_MS = 20_000;

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function serializer<I extends DescMessage>(schema: I): (request: MessageInitShape<I>) => Buffer {
  return (request) => Buffer.from(toBinary(schema, create(schema, request)));
}

export function codeName(code: grpc.status): string {
  return grpc.status[code];
}

/** @param address host:port, without TLS */
export function connectBanyandb(address: string): BanyandbClient {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    // Outages are part of the tests: after one the next call must not wait for a long backoff.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 500,
    "grpc.max_receive_message_length": 64 * 1024 * 1024,
  });

  function call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageInitShape<I>,
    deadlineMs = DEADLINE_MS,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<MessageInitShape<I>, MessageShape<O>>(
        pathOf(method),
        serializer(method.input),
        (bytes) => fromBinary(method.output, bytes),
        request,
        { deadline: Date.now() + deadlineMs },
        (error, response) => {
          if (error) reject(error);
          else if (response === undefined) reject(new Error(`${pathOf(method)} gave no message`));
          else resolve(response);
        },
      );
    });
  }

  function openWrite(deadlineMs = DEADLINE_MS): WriteStream {
    const method = MeasureService.method.write;
    const replies: WriteResponse[] = [];
    const stream = client.makeBidiStreamRequest<MessageInitShape<typeof WriteRequestSchema>, WriteResponse>(
      pathOf(method),
      serializer(method.input),
      (bytes) => fromBinary(WriteResponseSchema, bytes),
      { deadline: Date.now() + deadlineMs },
    );
    const status = new Promise<CallStatus>((resolve) => {
      stream.on("status", ({ code, details }: grpc.StatusObject) => {
        resolve({ code: codeName(code), details });
      });
    });
    stream.on("data", (reply: WriteResponse) => replies.push(reply));
    // The same news as "status", which always comes too.
    stream.on("error", () => undefined);
    return {
      replies,
      status,
      send: (request) => void stream.write(request),
      end: () => void stream.end(),
      cancel: () => {
        stream.cancel();
      },
    };
  }

  return {
    call,
    openWrite,
    ready: () =>
      new Promise((resolve, reject) => {
        client.waitForReady(Date.now() + DEADLINE_MS, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
    close: () => {
      client.close();
    },
  };
}

/** The status that `promise` is rejected with; fails when it is not. */
export async function failureOf(promise: Promise<unknown>): Promise<CallStatus> {
  try {
    await promise;
  } catch (error) {
    const { code, details } = error as grpc.ServiceError;
    return { code: codeName(code), details };
  }
  throw new Error("the call did not fail");
}
