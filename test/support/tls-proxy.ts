/** TLS in front of a server that speaks plain text, with a certificate that can be changed. */
import { connect, type AddressInfo, type Socket } from "node:net";
import { createServer } from "node:tls";
import type { Issued } from "./certificates.js";

export interface TlsProxy {
  /** host:port to connect to. */
  readonly address: string;
  readonly port: number;
  /** Shows another certificate from now on, and resets the present connections. */
  show(issued: Issued): void;
  close(): Promise<void>;
}

/** @param target host:port */
export async function startTlsProxy(target: string, issued: Issued): Promise<TlsProxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    // A connection that breaks is what the tests are about; close follows.
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  };
  const options = ({ certificate, key }: Issued) => ({ cert: certificate, key, ALPNProtocols: ["h2"] });
  const server = createServer(options(issued), (client) => {
    const upstream = connect(Number(port), host);
    track(client);
    track(upstream);
    client.pipe(upstream).pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const reset = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const own = (server.address() as AddressInfo).port;
  return {
    address: `127.0.0.1:${own}`,
    port: own,
    show(next) {
      server.setSecureContext(options(next));
      reset();
    },
    close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      reset();
      return closed;
    },
  };
}
