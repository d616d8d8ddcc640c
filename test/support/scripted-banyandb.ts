/**
 * The embedded BanyanDB behind a switch: it answers writes as a script says. For tests only; what it does without
 * a script is what the embedded one does.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { listen, type Listener } from "../../src/embedded/listener.js";
import { createRecentChanges } from "../../src/embedded/recent-changes.js";
import { createRegistry } from "../../src/embedded/registry.js";
import { createRows } from "../../src/embedded/rows.js";
import { createGrpcServer } from "../../src/embedded/services.js";
import { createWriteBatch } from "../../src/embedded/write-batch.js";
import { serveWrite, type Life, type WriteCall } from "../../src/embedded/write-stream.js";
import {
  MeasureService,
  WriteRequestSchema,
  WriteResponseSchema,
  type WriteRequest,
  type WriteResponse,
} from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import type { BanyandbServer } from "./banyandb-server.js";
import { present } from "./present.js";
import { scriptedBatch, type WriteScript } from "./write-script.js";

export interface ScriptedBanyandb extends BanyandbServer {
  readonly controls: NonNullable<BanyandbServer["controls"]>;
  /** One address per port: several ways to the same rows, as liaisons are. */
  readonly addresses: readonly string[];
  /** Takes effect with the next stream; `{}` is no script. */
  play(script: WriteScript): void;
  /** Write streams so far. */
  streams(): number;
  /** Most write streams that were open at once. */
  mostAtOnce(): number;
  /** Stops one of the ports gracefully, and the rows stay. */
  drain(port: number): Promise<void>;
}

const WRITE = MeasureService.method.write;
const WRITE_PATH = `/${MeasureService.typeName}/${WRITE.name}`;
const FLUSH_MS = 1000;
/** Of the embedded server. */
const GRACE_MS = 10_000;
const MAX_ROWS = 1_000_000;

/** Starts it on free loopback ports. */
export async function startScripted(ports = 1): Promise<ScriptedBanyandb> {
  const changes = createRecentChanges(FLUSH_MS, Date.now);
  const registry = createRegistry(changes, Date.now);
  const rows = createRows({ changes, now: Date.now, maxRows: MAX_ROWS });
  let script: WriteScript = {};
  let life: Life = { ended: false };
  let streams = 0;
  let open = 0;
  let most = 0;

  function start(port: number): Promise<Listener> {
    const own = life;
    const server = createGrpcServer({
      registry,
      rows,
      life: own,
      now: Date.now,
      account: undefined,
      version: "0.10",
      revision: "scripted",
    });
    server.unregister(WRITE_PATH);
    const handle = (call: WriteCall): void => {
      streams++;
      most = Math.max(most, ++open);
      call.once("close", () => open--);
      serveWrite(call, scriptedBatch(createWriteBatch(registry, rows), script), own);
    };
    server.register<WriteRequest, WriteResponse>(
      WRITE_PATH,
      handle,
      (message) => Buffer.from(toBinary(WriteResponseSchema, message)),
      (bytes) => fromBinary(WriteRequestSchema, bytes),
      "bidi",
    );
    return listen(server, "127.0.0.1", port);
  }

  let listeners = await Promise.all(Array.from({ length: ports }, () => start(0)));
  const own = listeners.map(({ port }) => port);
  const addresses = own.map((port) => `127.0.0.1:${port}`);

  const end = async (how: (listener: Listener) => Promise<void>): Promise<void> => {
    const ending = listeners;
    listeners = [];
    await Promise.all(ending.map(how));
    life.ended = true;
    changes.undo();
  };
  const kill = (): Promise<void> => {
    life.ended = true;
    return end((listener) => listener.reset());
  };

  return {
    kind: "embedded",
    version: "0.10",
    flushMs: FLUSH_MS,
    address: present(addresses[0]),
    addresses,
    controls: {
      kill,
      stop: () => end((listener) => listener.drain(GRACE_MS)),
      restart: async () => {
        life = { ended: false };
        listeners = await Promise.all(own.map(start));
      },
    },
    close: kill,
    play(wanted) {
      script = wanted;
    },
    streams: () => streams,
    mostAtOnce: () => most,
    async drain(port) {
      await listeners[port]?.drain(GRACE_MS);
    },
  };
}
