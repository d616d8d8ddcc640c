/**
 * A BanyanDB in virtual time: the store and the rules of the embedded server, without a socket, behind a simulated
 * network.
 */
import { create, fromBinary, type DescMethod, type MessageShape } from "@bufbuild/protobuf";
import { status as grpcStatus } from "@grpc/grpc-js";
import { BanyanError } from "../../src/banyandb/errors.js";
import type { Reply, StreamStatus } from "../../src/banyandb/outcome.js";
import { RECONNECT_CAUSES, type Transport } from "../../src/banyandb/transport.js";
import type { StreamResult } from "../../src/banyandb/write-stream.js";
import { createRecentChanges } from "../../src/embedded/recent-changes.js";
import { createRegistry } from "../../src/embedded/registry.js";
import { createRows } from "../../src/embedded/rows.js";
import { runQuery } from "../../src/embedded/query.js";
import { RpcError } from "../../src/embedded/rpc-error.js";
import { createWriteBatch } from "../../src/embedded/write-batch.js";
import { MetadataSchema, Service } from "../../src/gen/banyandb/common/v1/common_pb.js";
import {
  GroupRegistryService,
  MeasureRegistryService,
} from "../../src/gen/banyandb/database/v1/database_pb.js";
import { MeasureService, WriteRequestSchema } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { zeroes } from "../../src/model/zeroes.js";
import { createSimulatedNetwork, type SimulatedNetwork } from "./simulated-network.js";
import type { VirtualTime } from "./virtual-time.js";
import { scriptedBatch, type WriteScript } from "./write-script.js";

export interface SimulatedBanyandb extends SimulatedNetwork {
  /** Past the network and its faults. */
  readonly direct: Transport;
  /** The server stops, by whatever signal: it forgets what is not flushed. */
  stop(): void;
  play(script: WriteScript): void;
  /** Where it is there; its rows stay. */
  deleteMeasure(group: string, name: string): void;
}

/** Default of --measure-flush-timeout. */
const FLUSH_MS = 5000;
const MAX_ROWS = 2_000_000;

export function createSimulatedBanyandb(time: VirtualTime, random: () => number): SimulatedBanyandb {
  const changes = createRecentChanges(FLUSH_MS, time.wallMs);
  const registry = createRegistry(changes, time.wallMs);
  const rows = createRows({ changes, now: time.wallMs, maxRows: MAX_ROWS });
  let script: WriteScript = {};

  const methods = new Map<DescMethod, (request: never) => object>([
    [Service.method.getAPIVersion, () => ({ version: { version: "0.10" } })],
    method(GroupRegistryService.method.get, ({ group }) => ({ group: registry.getGroup(group) })),
    method(GroupRegistryService.method.create, ({ group }) => ({ modRevision: registry.createGroup(group) })),
    method(MeasureRegistryService.method.get, ({ metadata }) => ({
      measure: registry.getMeasure(metadata),
    })),
    method(MeasureRegistryService.method.create, ({ measure }) => ({
      modRevision: registry.createMeasure(measure),
    })),
    method(MeasureRegistryService.method.update, ({ measure }) => ({
      modRevision: registry.updateMeasure(measure),
    })),
    method(MeasureService.method.query, (request) => runQuery(registry, rows, request, time.wallMs())),
  ]);

  function answer(asked: DescMethod, request: object): object {
    const handle = methods.get(asked);
    if (!handle) throw new Error(`the simulation has no ${asked.name}`);
    try {
      const made = create(asked.input, request as Record<string, unknown>);
      return create(asked.output, handle(made as never) as Record<string, unknown>);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      throw failure(grpcStatus[error.code], error.message, asked.name);
    }
  }

  /** Takes the first `count` messages of a stream; `whole` where the client's half-close came too. */
  function serve(messages: readonly Buffer[], count: number, whole: boolean): StreamResult {
    const batch = scriptedBatch(createWriteBatch(registry, rows), script);
    const replies: Reply[] = [];
    let ended: StreamStatus = { code: "OK", details: "" };
    for (const bytes of messages.slice(0, count)) {
      const admission = batch.admit(fromBinary(WriteRequestSchema, bytes));
      if (admission.kind === "refused") replies.push(plainReply(admission.reply));
      if (admission.kind !== "ended" && admission.kind !== "lost") continue;
      ended = { code: grpcStatus[admission.error.code], details: admission.error.message };
      if (admission.kind === "lost") return { replies, status: ended };
      break;
    }
    const acknowledged = batch.commit().map(plainReply);
    return { replies: whole ? [...replies, ...acknowledged] : replies, status: ended };
  }

  const network = createSimulatedNetwork(time, random, { answer, serve });

  return {
    ...network,
    direct: {
      address: () => "direct",
      isConnecting: () => false,
      call: (asked, request) =>
        Promise.resolve().then(() => answer(asked, request) as MessageShape<typeof asked.output>),
      writeBatch: (messages) => Promise.resolve(serve(messages, messages.length, true)),
      reopen: () => undefined,
      configure: () => undefined,
      reconnects: () => zeroes(RECONNECT_CAUSES),
      close: () => undefined,
    },
    stop() {
      changes.undo();
      network.set("refused");
    },
    play(wanted) {
      script = wanted;
    },
    deleteMeasure(group, name) {
      registry.deleteMeasure(registry.findMeasure(group, name)?.metadata ?? create(MetadataSchema));
    },
  };
}

/** Ties the types of a method and of what answers it together. */
function method<M extends DescMethod>(
  of: M,
  handle: (request: MessageShape<M["input"]>) => object,
): [DescMethod, (request: never) => object] {
  return [of, handle];
}

function plainReply({ messageId, status }: { messageId: bigint; status: string }): Reply {
  return { messageId: Number(messageId), status };
}

function failure(code: string, detail: string, operation: string): BanyanError {
  return new BanyanError({ code, operation, object: "simulated:17912", detail });
}
