/**
 * Calls to one BanyanDB over grpc-js: raw bytes for the write stream, generated messages for the rest. Knows
 * gRPC, and nothing of ticks, schema or retries.
 */
import { isDeepStrictEqual } from "node:util";
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
import type { TlsConfig } from "../config/config.js";
import { MeasureService } from "../gen/banyandb/measure/v1/measure_pb.js";
import { limitCall, statusOf } from "./call-limit.js";
import { accountMetadata, channelCredentials, channelNames, type Account } from "./channel-credentials.js";
import { zeroes } from "../model/zeroes.js";
import { BanyanError } from "./errors.js";
import { framesRuns, messageRuns, type Sendable } from "./message-run.js";
import type { StreamStatus } from "./outcome.js";
import { parseReply } from "./reply.js";
import { readAll, writeAll, type StreamResult } from "./write-stream.js";

export interface TransportOptions extends Account {
  /** host:port each, tried in a random order. One is used; `reopen` goes on to the next. */
  readonly endpoints: readonly string[];
  /** undefined means plain text. */
  readonly tls?: TlsConfig | undefined;
}

/**
 * lost: the connection was ready and went away. watchdog: it hung. failover: the next endpoint's turn. recycle:
 * it was old. settings: endpoints or TLS are others now.
 */
export const RECONNECT_CAUSES = ["lost", "watchdog", "failover", "recycle", "settings"] as const;
export type ReconnectCause = (typeof RECONNECT_CAUSES)[number];

export interface CallOptions {
  /** For the whole call, the connection included. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

export interface TransportEvents {
  onReady(): void;
  /** The connection that was ready is gone: reset, closed or told to go away, or `left` by ourselves. */
  onLost(left: boolean): void;
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
  reopen(cause: ReconnectCause): void;
  /** Takes other options. A new password needs no new channel; endpoints and TLS do. */
  configure(options: TransportOptions): void;
  reconnects(): Readonly<Record<ReconnectCause, number>>;
  close(): void;
}

/** Largest answer, as the server's own limit for requests: a page of rows when they are read back. */
const MAX_RECEIVE_BYTES = 16 * 1024 * 1024;

/**
 * Why: docs/decisions/0002. In short: our own retries are better than those of grpc-js, which copy every message;
 * a proxy of the environment is for the internet; reconnects of grpc-js back off up to two minutes otherwise;
 * after a lost connection a name is asked again at once and not after half a minute; and BanyanDB sends away who
 * pings more often, or while nothing is under way.
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
  "grpc.dns_min_time_between_resolutions_ms": 1000,
  "grpc.service_config_disable_resolution": 1,
  "grpc.service_config": JSON.stringify({
    loadBalancingConfig: [{ pick_first: { shuffleAddressList: true } }],
  }),
  "grpc.max_receive_message_length": MAX_RECEIVE_BYTES,
};

const WRITE_PATH = `/${MeasureService.typeName}/${MeasureService.method.write.name}`;

const NOBODY: TransportEvents = { onReady: () => undefined, onLost: () => undefined };

/** Opens the first channel; grpc-js connects with the first call. `random` gives numbers from [0, 1). */
export function openTransport(
  initial: TransportOptions,
  events: TransportEvents = NOBODY,
  random: () => number = Math.random,
): Transport {
  const reconnects = zeroes(RECONNECT_CAUSES);
  const sendsRuns = framesRuns();
  let options = initial;
  let order = shuffled(options.endpoints, random);
  let turn = 0;
  let client = connect();

  function address(): string {
    return order[turn % order.length] ?? "";
  }

  function connect(): grpc.Client {
    const settings = { ...CHANNEL_OPTIONS, ...channelNames(options.tls) };
    const opened = new grpc.Client(address(), channelCredentials(options.tls), settings);
    watch(opened.getChannel(), {
      onReady: () => {
        events.onReady();
      },
      onLost: (left) => {
        if (!left) reconnects.lost++;
        events.onLost(left);
      },
    });
    return opened;
  }

  function reopen(cause: ReconnectCause): void {
    client.close();
    reconnects[cause]++;
    if (cause === "recycle" || cause === "settings") {
      order = shuffled(options.endpoints, random);
      turn = 0;
    } else {
      turn++;
    }
    client = connect();
    // To connect now and not with the next call, so that it becomes ready as soon as it can.
    client.getChannel().getConnectivityState(true);
  }

  function metadata(deadlineMs: number): grpc.Metadata {
    const result = accountMetadata(options);
    result.set("grpc-timeout", `${Math.ceil(deadlineMs)}m`);
    return result;
  }

  return {
    address,
    isConnecting: () => client.getChannel().getConnectivityState(false) === grpc.connectivityState.CONNECTING,
    call(method, request, { deadlineMs, signal }) {
      const path = `/${method.parent.typeName}/${method.name}`;
      const object = address();
      const account = options;
      return new Promise((resolve, reject) => {
        const call = client.makeUnaryRequest(
          path,
          (message: MessageShape<typeof method.input>) => Buffer.from(toBinary(method.input, message)),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          create(method.input, request),
          metadata(deadlineMs),
          (error, response) => {
            limit.end();
            if (response !== undefined) resolve(response);
            else reject(callError(limit.status(statusOf(error), account), method.name, object));
          },
        );
        const limit = limitCall(call, deadlineMs, signal);
      });
    },
    async writeBatch(messages, { deadlineMs, signal }) {
      const sent = (await sendsRuns) ? messageRuns(messages) : messages;
      const account = options;
      const stream = client.makeBidiStreamRequest(WRITE_PATH, asSent, parseReply, metadata(deadlineMs));
      const limit = limitCall(stream, deadlineMs, signal);
      const result = readAll(stream);
      await writeAll(stream, sent, result);
      try {
        const { replies, status } = await result;
        return { replies, status: limit.status(status, account) };
      } finally {
        limit.end();
      }
    },
    reopen,
    configure(wanted) {
      const before = options;
      options = wanted;
      const same = isDeepStrictEqual([before.endpoints, before.tls], [wanted.endpoints, wanted.tls]);
      if (!same) reopen("settings");
    },
    reconnects: () => ({ ...reconnects }),
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
      else if (before === grpc.connectivityState.READY) {
        events.onLost(state === grpc.connectivityState.SHUTDOWN);
      }
      if (state !== grpc.connectivityState.SHUTDOWN) next();
    });
  };
  next();
}

/** Fisher-Yates: so that many sidecars do not all prefer the first endpoint. */
function shuffled(endpoints: readonly string[], random: () => number): string[] {
  const result = [...endpoints];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] ?? "", result[i] ?? ""];
  }
  return result;
}

/** Of a run grpc-js uses what it has of a Buffer (message-run.ts). */
function asSent(message: Sendable): Buffer {
  return message as Buffer;
}

/** Without the error of grpc-js as its cause: that one carries the metadata. */
function callError({ code, details }: StreamStatus, operation: string, object: string): BanyanError {
  return new BanyanError({ code, operation, object, detail: details });
}
