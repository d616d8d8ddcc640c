/** The gRPC methods that this server has. Every other one is answered UNIMPLEMENTED by grpc-js itself. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Server, status } from "@grpc/grpc-js";
import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import { Service as CommonService } from "../gen/banyandb/common/v1/common_pb.js";
import { GroupRegistryService, MeasureRegistryService } from "../gen/banyandb/database/v1/database_pb.js";
import { MeasureService } from "../gen/banyandb/measure/v1/measure_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../gen/grpc/health/v1/health_pb.js";
import { authenticate } from "./authentication.js";
import type { EmbeddedAccount } from "./authentication.js";
import { runQuery } from "./query.js";
import type { Registry } from "./registry.js";
import { invalidArgument, RpcError, unimplemented } from "./rpc-error.js";
import type { Rows } from "./rows.js";
import { createWriteBatch } from "./write-batch.js";
import { serveWrite } from "./write-stream.js";
import type { Life, WriteCall } from "./write-stream.js";

/** banyand/liaison/grpc/server.go, defaultRecvSize, at apache/skywalking-banyandb 9ebac4516. */
const MAX_MESSAGE_BYTES = 16 << 20;

type Method<I extends DescMessage, O extends DescMessage> = DescMethod & { input: I; output: O };

export interface ServerParts {
  readonly registry: Registry;
  readonly rows: Rows;
  readonly life: Life;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  /** Who may call; everybody, if absent. */
  readonly account: (() => EmbeddedAccount) | undefined;
  /** As GetAPIVersion says it. */
  readonly version: string;
  readonly revision: string;
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function reader<I extends DescMessage>(schema: I): (bytes: Buffer) => MessageShape<I> {
  return (bytes) => fromBinary(schema, bytes);
}

function writer<O extends DescMessage>(schema: O): (message: MessageShape<O>) => Buffer {
  return (message) => Buffer.from(toBinary(schema, message));
}

/** Registers `answer`; an RpcError that it throws is what the caller gets. */
function addUnary<I extends DescMessage, O extends DescMessage>(
  server: Server,
  method: Method<I, O>,
  answer: (request: MessageShape<I>) => MessageInitShape<O>,
): void {
  type Reply = MessageShape<O>;
  const handle = (call: ServerUnaryCall<MessageShape<I>, Reply>, callback: sendUnaryData<Reply>): void => {
    try {
      callback(null, create(method.output, answer(call.request)));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      callback({ code: error.code, details: error.message });
    }
  };
  server.register(pathOf(method), handle, writer(method.output), reader(method.input), "unary");
}

function addRegistries(server: Server, { registry, rows }: ServerParts): void {
  const groups = GroupRegistryService.method;
  addUnary(server, groups.create, ({ group }) => ({ modRevision: registry.createGroup(group) }));
  addUnary(server, groups.update, ({ group }) => ({ modRevision: registry.updateGroup(group) }));
  addUnary(server, groups.get, ({ group }) => ({ group: registry.getGroup(group) }));
  addUnary(server, groups.list, () => ({ group: registry.listGroups() }));
  addUnary(server, groups.exist, ({ group }) => ({ hasGroup: registry.findGroup(group) !== undefined }));
  addUnary(server, groups.delete, ({ group, dryRun, force, dataOnly }) => {
    registry.getGroup(group);
    if (dryRun) throw unimplemented("a dry run of deleting a group");
    if (dataOnly) throw unimplemented("deleting the data of a group alone");
    if (!force && rows.hasGroup(group)) {
      const details = `group ${group} is not empty, use force=true to delete non-empty groups`;
      throw new RpcError(status.FAILED_PRECONDITION, details);
    }
    registry.deleteGroup(group);
    rows.dropGroup(group);
    return {};
  });

  const measures = MeasureRegistryService.method;
  addUnary(server, measures.create, ({ measure }) => ({ modRevision: registry.createMeasure(measure) }));
  addUnary(server, measures.update, ({ measure }) => ({ modRevision: registry.updateMeasure(measure) }));
  addUnary(server, measures.get, ({ metadata }) => ({ measure: registry.getMeasure(metadata) }));
  addUnary(server, measures.list, ({ group }) => ({ measure: registry.listMeasures(group) }));
  addUnary(server, measures.exist, ({ metadata }) => {
    if (metadata === undefined) throw invalidArgument("metadata is absent");
    return {
      hasGroup: registry.findGroup(metadata.group) !== undefined,
      hasMeasure: registry.findMeasure(metadata.group, metadata.name) !== undefined,
    };
  });
  addUnary(server, measures.delete, ({ metadata }) => {
    // Its rows stay and are visible again once it is re-created.
    registry.deleteMeasure(metadata);
    return {};
  });
}

function addMeasures(server: Server, { registry, rows, life, now }: ServerParts): void {
  const { query, write } = MeasureService.method;
  addUnary(server, query, (request) => runQuery(registry, rows, request, now()));
  const handle = (call: WriteCall): void => {
    serveWrite(call, createWriteBatch(registry, rows), life);
  };
  server.register(pathOf(write), handle, writer(write.output), reader(write.input), "bidi");
}

/** A grpc-js server with all methods, bound to no port. */
export function createGrpcServer(parts: ServerParts): Server {
  const { version, revision, account } = parts;
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    interceptors: account ? [authenticate(account)] : [],
  });
  addUnary(server, CommonService.method.getAPIVersion, () => ({ version: { version, revision } }));
  addUnary(server, Health.method.check, ({ service }) => {
    if (service !== "") throw new RpcError(status.NOT_FOUND, "unknown service");
    return { status: HealthCheckResponse_ServingStatus.SERVING };
  });
  addRegistries(server, parts);
  addMeasures(server, parts);
  return server;
}
