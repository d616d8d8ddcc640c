/**
 * The port of a grpc-js server. grpc-js can bind one itself, but then nobody can reset its connections as a
 * killed process does.
 */
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ServerCredentials } from "@grpc/grpc-js";
import type { Server } from "@grpc/grpc-js";

export interface Listener {
  readonly port: number;
  /** Refuses new streams at once, lets running ones end for `graceMs`, then ends every connection. */
  drain(graceMs: number): Promise<void>;
  /** Resets every connection. */
  reset(): Promise<void>;
}

/**
 * @param port 0 takes a free one
 * @throws the system's error, such as EADDRINUSE
 */
export async function listen(grpcServer: Server, host: string, port: number): Promise<Listener> {
  const injector = grpcServer.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(port, host, () => {
      listener.off("error", reject);
      resolve();
    });
  });

  async function reset(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      listener.close(() => {
        resolve();
      });
    });
    for (const socket of sockets) socket.resetAndDestroy();
    grpcServer.forceShutdown();
    await closed;
  }

  return {
    port: (listener.address() as AddressInfo).port,
    reset,
    async drain(graceMs) {
      const patience = new AbortController();
      // The listener ends with its last connection; tryShutdown says so too early on Node 24.
      const drained = new Promise<void>((resolve) => {
        listener.close(() => {
          resolve();
        });
      });
      grpcServer.tryShutdown(() => undefined);
      await Promise.race([
        drained,
        // Aborted as soon as the others have ended.
        sleep(graceMs, undefined, { signal: patience.signal }).catch(() => undefined),
      ]);
      patience.abort();
      await reset();
    },
  };
}
