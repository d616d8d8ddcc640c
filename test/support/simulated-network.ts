/**
 * The network before a simulated BanyanDB, and channels as those of grpc-js, in virtual time. What it knows of them
 * was measured on grpc-js 1.14.7 (docs/decisions/0007): an idle one connects with the next call, a failed one refuses
 * calls and tries again by itself, one that gets no answer connects for ever.
 */
import type { DescMethod, MessageShape } from "@bufbuild/protobuf";
import { BanyanError } from "../../src/banyandb/errors.js";
import type { StreamStatus } from "../../src/banyandb/outcome.js";
import {
  RECONNECT_CAUSES,
  type CallOptions,
  type openTransport,
  type Transport,
  type TransportEvents,
} from "../../src/banyandb/transport.js";
import type { StreamResult } from "../../src/banyandb/write-stream.js";
import { zeroes } from "../../src/model/zeroes.js";
import { MeasureService } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import type { VirtualTime } from "./virtual-time.js";

/**
 * up: all works. refused: nobody listens, and what was connected is reset. hole: nothing moves, in either
 * direction, and nobody is told.
 */
export type Way = "up" | "refused" | "hole";

export interface StreamRecord {
  readonly openedMs: number;
  endedMs: number | undefined;
  code: string;
  readonly points: number;
}

export interface SimulatedNetwork {
  /** In the place of openTransport. */
  readonly open: typeof openTransport;
  set(way: Way): void;
  /** Resets all connections. */
  reset(): void;
  /** One way, in milliseconds. */
  setLatency(ms: number): void;
  readonly streams: readonly StreamRecord[];
  /** Calls and streams so far. */
  calls(): number;
  /** Queries so far. */
  queries(): number;
}

/** What is behind the network. */
export interface Behind {
  /** @throws BanyanError */
  readonly answer: (method: DescMethod, request: object) => object;
  /** Takes the first `count` messages of a stream; `whole` where the client's half-close came too. */
  readonly serve: (messages: readonly Buffer[], count: number, whole: boolean) => StreamResult;
}

/** Of our channels (src/banyandb/transport.ts), as grpc-js applies them. */
const RECONNECT = { firstMs: 1000, factor: 1.6, maxMs: 15_000, jitter: 0.2 };
const ADDRESS = "simulated:17912";

const NOBODY: TransportEvents = { onReady: () => undefined, onLost: () => undefined };

interface Exchange {
  /** Goes on where it was held. */
  advance(): void;
  fail(code: string, details: string): void;
}

export function createSimulatedNetwork(
  time: VirtualTime,
  random: () => number,
  { answer, serve }: Behind,
): SimulatedNetwork {
  const streams: StreamRecord[] = [];
  const channels = new Set<{ changed(): void; broken(): void }>();
  let way: Way = "up";
  let latencyMs = 1;
  let calls = 0;
  let queries = 0;

  function open(_options: unknown, events: TransportEvents = NOBODY): Transport {
    let state: "idle" | "connecting" | "ready" | "failed" | "shutdown" = "idle";
    let failures = 0;
    /** Counts channels, so that what an old one had planned does not happen. */
    let channel = 0;
    const exchanges = new Set<Exchange>();
    const reconnects = zeroes(RECONNECT_CAUSES);

    const later = (delayMs: number, action: () => void): void => {
      const planned = channel;
      time.startTimer(() => {
        if (planned === channel) action();
      }, delayMs);
    };
    const failAll = (code: string, details: string): void => {
      for (const exchange of [...exchanges]) exchange.fail(code, details);
    };
    const connect = (): void => {
      state = "connecting";
      if (way === "hole") return;
      later(2 * latencyMs, () => {
        if (state !== "connecting" || way === "hole") return;
        if (way === "refused") {
          state = "failed";
          const delayMs = Math.min(RECONNECT.maxMs, RECONNECT.firstMs * RECONNECT.factor ** failures++);
          later(delayMs * (1 + RECONNECT.jitter * (2 * random() - 1)), connect);
          failAll("UNAVAILABLE", "connection refused");
          return;
        }
        state = "ready";
        failures = 0;
        events.onReady();
        for (const exchange of [...exchanges]) exchange.advance();
      });
    };
    const self = {
      changed(): void {
        if (state === "ready") for (const exchange of [...exchanges]) exchange.advance();
      },
      broken(): void {
        if (state !== "ready") return;
        state = "idle";
        failAll("UNAVAILABLE", "connection reset");
        events.onLost(false);
        reconnects.lost++;
      },
    };
    channels.add(self);

    /** One call: waits for the connection, goes there, is served, comes back; what fails it says so, once. */
    function exchange<T>(
      limits: CallOptions,
      served: () => T,
      failed: (status: StreamStatus, sent: boolean, result: T | undefined) => void,
      done: (result: T) => void,
    ): void {
      calls++;
      let step: "waiting" | "going" | "there" | "coming" | "over" = "waiting";
      let result: T | undefined;
      const end = (): void => {
        step = "over";
        exchanges.delete(own);
        cancelDeadline();
        limits.signal?.removeEventListener("abort", cancel);
      };
      const own: Exchange = {
        advance() {
          if (state !== "ready" || way === "hole") return;
          if (step === "waiting") {
            step = "going";
            later(latencyMs, () => {
              if (step !== "going") return;
              step = "there";
              own.advance();
            });
          } else if (step === "there") {
            result = served();
            // A served call may have stopped its server.
            if ((step as string) === "over") return;
            step = "coming";
            later(latencyMs, () => {
              if (step !== "coming") return;
              if (way === "hole") return;
              end();
              done(result as T);
            });
          } else if (step === "coming") {
            end();
            done(result as T);
          }
        },
        fail(code, details) {
          if (step === "over") return;
          const sent = step !== "waiting";
          end();
          failed({ code, details }, sent, result);
        },
      };
      const cancel = (): void => {
        own.fail("CANCELLED", "cancelled");
      };
      const cancelDeadline = time.startTimer(() => {
        own.fail("DEADLINE_EXCEEDED", "deadline exceeded");
      }, limits.deadlineMs);
      limits.signal?.addEventListener("abort", cancel, { once: true });
      exchanges.add(own);
      if (limits.signal?.aborted) cancel();
      else if (state === "shutdown") own.fail("CANCELLED", "channel is closed");
      else if (state === "failed") own.fail("UNAVAILABLE", "no connection");
      else {
        if (state === "idle") connect();
        own.advance();
      }
    }

    const close = (): void => {
      channel++;
      state = "idle";
      failures = 0;
      failAll("CANCELLED", "channel is closed");
    };

    return {
      address: () => ADDRESS,
      isConnecting: () => state === "connecting",
      call(asked, request, limits) {
        if (asked.name === MeasureService.method.query.name) queries++;
        return new Promise((resolve, reject) => {
          exchange<{ readonly value: object } | { readonly error: BanyanError }>(
            limits,
            () => {
              try {
                return { value: answer(asked, request) };
              } catch (error) {
                return { error: BanyanError.from(error, asked.name, ADDRESS) };
              }
            },
            ({ code, details }) => {
              reject(new BanyanError({ code, operation: asked.name, object: ADDRESS, detail: details }));
            },
            (outcome) => {
              if ("value" in outcome) resolve(outcome.value as MessageShape<typeof asked.output>);
              else reject(outcome.error);
            },
          );
        });
      },
      writeBatch(messages, limits) {
        const record: StreamRecord = {
          openedMs: time.nowMs(),
          endedMs: undefined,
          code: "",
          points: messages.length,
        };
        streams.push(record);
        const ended = (result: StreamResult): StreamResult => {
          record.endedMs = time.nowMs();
          record.code = result.status.code;
          return result;
        };
        return new Promise((resolve) => {
          exchange(
            limits,
            () => serve(messages, messages.length, true),
            (status, sent, result) => {
              // A server commits any prefix of a stream that breaks, and the replies may get through or not.
              if (!result && sent && way === "up")
                serve(messages, Math.floor(random() * (messages.length + 1)), false);
              const through = result ? result.replies.slice(0, random() * (result.replies.length + 1)) : [];
              resolve(ended({ replies: through, status }));
            },
            (result) => {
              resolve(ended(result));
            },
          );
        });
      },
      reopen(cause) {
        const left = state === "ready";
        reconnects[cause]++;
        close();
        if (left) events.onLost(true);
        connect();
      },
      configure: () => undefined,
      reconnects: () => ({ ...reconnects }),
      close() {
        close();
        state = "shutdown";
        channels.delete(self);
      },
    };
  }

  const reset = (): void => {
    for (const one of [...channels]) one.broken();
  };

  return {
    open,
    set(wanted) {
      way = wanted;
      if (wanted === "refused") reset();
      else for (const one of channels) one.changed();
    },
    reset,
    setLatency(ms) {
      latencyMs = ms;
    },
    streams,
    calls: () => calls,
    queries: () => queries,
  };
}
