/**
 * Calls to one BanyanDB over grpc-js: raw bytes for the write stream, generated messages for the rest. Knows
 * gRPC, and nothing of ticks, schema or retries.
 */
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { MeasureService, WriteResponseSchema } from "../gen/banyandb/measure/v1/measure_pb.js";
import { BanyanError } from "./errors.js";
import type { Reply, StreamStatus } from "./outcome.js";

export interface TransportOptions {
  /** host:port each. One is used; `reopen` goes on to the next. */
  readonly endpoints: readonly string[];
  readonly username: string | undefined;
  /** Secret. */
  readonly password: string | undefined;
}

export interface StreamResult {
  readonly replies: readonly Reply[];
  readonly status: StreamStatus;
}

export interface CallOptions {
  /** For the whole call, the connection included. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export interface TransportEvents {
  onReady(): void;
  /** The connection that was ready is gone: reset, closed or told to go away. */
  onLost(): void;
}

export interface Transport {
  /** The endpoint in use. */
  address(): string;
  isConnecting(): boolean;
  /**
   * Calls a unary method.
   * @throws BanyanError with the name of the gRPC code
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>>;
  /** Sends one batch on a stream of its own and reads every reply. Never rejects: the status says all. */
  writeBatch(messages: readonly Buffer[], options: CallOptions): Promise<StreamResult>;
  /** Leaves the channel for a new one, to the next endpoint. */
  reopen(): void;
  close(): void;
}

/** Largest answer, as the server's own limit for requests: a page of rows when they are read back. */
const MAX_RECEIVE_BYTES = 16 * 1024 * 1024;

/**
 * Why: docs/decisions/0002. In short: our own retries are better than those of grpc-js, which copy every message;
 * a proxy of the environment is for the internet; reconnects of grpc-js back off up to two minutes otherwise; and
 * BanyanDB sends away who pings more often, or while nothing is under way.
 */
const CHANNEL_OPTIONS: grpc.ChannelOptions = {
  "grpc.enable_channelz": 0,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.initial_reconnect_backoff_ms": 1000,
  "grpc.max_reconnect_backoff_ms": 15_000,
  "grpc.keepalive_time_ms": 60_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.service_config": JSON.stringify({
    loadBalancingConfig: [{ pick_first: { shuffleAddressList: true } }],
  }),
  "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
};

const WRITE_PATH = `/${MeasureService.typeName}/${MeasureService.method.write.name}`;

const NOBODY: TransportEvents = { onReady: () => undefined, onLost: () => undefined };

/** Opens the first channel; grpc-js connects with the first call. */
export function openTransport(options: TransportOptions, events: TransportEvents = NOBODY): Transport {
  let endpoint = 0;
  let client = connect();

  function address(): string {
    return options.endpoints[endpoint % options.endpoints.length] ?? "";
  }

  function connect(): grpc.Client {
    const opened = new grpc.Client(address(), grpc.credentials.createInsecure(), CHANNEL_OPTIONS);
    watch(opened.getChannel(), events);
    return opened;
  }

  return {
    address,
    isConnecting: () => client.getChannel().getConnectivityState(false) === grpc.connectivityState.CONNECTING,
    call(method, request, { deadlineMs, signal }) {
      const path = `/${method.parent.typeName}/${method.name}`;
      const object = address();
      return new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          path,
          (message: MessageShape<typeof method.input>) => Buffer.from(toBinary(method.input, message)),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          create(method.input, request),
          credentials(options),
          { deadline: deadlineAt(deadlineMs) },
          (error, response) => {
            release();
            if (response !== undefined) resolve(response);
            else reject(callError(error, method.name, object));
          },
        );
        const release = onAbort(signal, () => {
          call.cancel();
        });
      });
    },
    async writeBatch(messages, { deadlineMs, signal }) {
      const stream = client.makeBidiStreamRequest(WRITE_PATH, same, parseReply, credentials(options), {
        deadline: deadlineAt(deadlineMs),
      });
      const release = onAbort(signal, () => {
        stream.cancel();
      });
      const result = readAll(stream);
      await writeAll(stream, messages, result);
      try {
        return await result;
      } finally {
        release();
      }
    },
    reopen() {
      client.close();
      endpoint++;
      client = connect();
      // To connect now and not with the next call, so that it becomes ready as soon as it can.
      client.getChannel().getConnectivityState(true);
    },
    close() {
      client.close();
    },
  };
}

/** Reports every time that a channel becomes ready and every time that it ceases to be, until it is closed. */
function watch(channel: ReturnType<grpc.Client["getChannel"]>, events: TransportEvents): void {
  let state = channel.getConnectivityState(false);
  const next = (): void => {
    channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      const before = state;
      state = channel.getConnectivityState(false);
      if (state === grpc.connectivityState.READY) events.onReady();
      else if (before === grpc.connectivityState.READY) events.onLost();
      if (state !== grpc.connectivityState.SHUTDOWN) next();
    });
  };
  next();
}

/** Plain metadata, as BanyanDB wants it, so that it also works without TLS. */
function credentials({ username, password }: TransportOptions): grpc.Metadata {
  const metadata = new grpc.Metadata();
  if (username !== undefined) metadata.set("username", username);
  if (password !== undefined) metadata.set("password", password);
  return metadata;
}

function deadlineAt(deadlineMs: number): number {
  return Date.now() + deadlineMs;
}

/** Runs `action` when the signal fires; the result undoes that. */
function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  if (signal?.aborted) action();
  else signal?.addEventListener("abort", action, { once: true });
  return () => {
    signal?.removeEventListener("abort", action);
  };
}

function same(message: Buffer): Buffer {
  return message;
}

function parseReply(bytes: Buffer): Reply {
  const { messageId, status } = fromBinary(WriteResponseSchema, bytes);
  return { messageId: Number(messageId), status };
}

type WriteStream = grpc.ClientDuplexStream<Buffer, Reply>;

/** Reads from the first moment on (both sides could block otherwise) until the stream has said how it ended. */
function readAll(stream: WriteStream): Promise<StreamResult> {
  return new Promise((resolve) => {
    const replies: Reply[] = [];
    let status: StreamStatus | undefined;
    let ended = false;
    const finish = (): void => {
      if (ended && status !== undefined) resolve({ replies, status });
    };
    stream.on("data", (reply: Reply) => replies.push(reply));
    stream.on("end", () => {
      ended = true;
      finish();
    });
    stream.on("status", ({ code, details }: grpc.StatusObject) => {
      status = { code: codeName(code), details };
      finish();
    });
    // The status says the same, and always comes.
    stream.on("error", () => undefined);
  });
}

/** Writes all messages and ends our side, as fast as the other side takes them. */
async function writeAll(
  stream: WriteStream,
  messages: readonly Buffer[],
  result: Promise<StreamResult>,
): Promise<void> {
  const progress = { over: false };
  const end = result.then(() => {
    progress.over = true;
  });
  for (const message of messages) {
    if (progress.over) return;
    // After the status there is no drain any more, so waiting for it alone would be for ever.
    if (!stream.write(message)) await Promise.race([end, drained(stream)]);
  }
  stream.end();
}

function drained(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => stream.once("drain", resolve));
}

function codeName(code: grpc.status): string {
  return grpc.status[code];
}

function callError(error: grpc.ServiceError | null, operation: string, object: string): BanyanError {
  return new BanyanError({
    code: error ? codeName(error.code) : "INTERNAL",
    operation,
    object,
    detail: error?.details ?? "no answer",
    cause: error,
  });
}
