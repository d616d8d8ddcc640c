/** A small HTTP server for a fixed set of pages; knows nothing of what they say. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Pages by their exact path. A page that throws is answered with 500 and its message. */
export type Pages = Readonly<Record<string, () => Page>>;

export interface HttpEndpoint {
  /** The port that was taken, where 0 was asked for. */
  readonly port: number;
  /** Takes another certificate for new connections; nothing where the endpoint is plain HTTP. */
  setCertificate(certificate: Certificate): void;
  /** Stops listening and ends all connections, idle ones too. */
  close(): Promise<void>;
}

/** PEM each. */
export interface Certificate {
  readonly cert: string;
  /** Secret. */
  readonly key: string;
}

/** The endpoint could not be opened. `code` is that of the operating system, such as EADDRINUSE. */
export class HttpListenError extends Error {
  readonly code: string;

  constructor(address: string, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? "unknown";
    const hint =
      code === "EADDRINUSE" ? "; another process has the port, choose another http.listen, or off" : "";
    super(`listen on HTTP endpoint ${address} failed: ${code}${hint}`, { cause });
    this.name = "HttpListenError";
    this.code = code;
  }
}

/** A scrape or a health check fits in these with room; anything else is not for us. */
const LIMITS = {
  maxHeaderBytes: 8 * 1024,
  connections: 32,
  headersMs: 5000,
  requestMs: 10_000,
  keepAliveMs: 30_000,
  /** Nothing moves: somebody who asks and does not read would hold a connection for ever. */
  idleMs: 30_000,
} as const;

const OPTIONS = {
  maxHeaderSize: LIMITS.maxHeaderBytes,
  headersTimeout: LIMITS.headersMs,
  requestTimeout: LIMITS.requestMs,
  keepAliveTimeout: LIMITS.keepAliveMs,
  connectionsCheckingInterval: 1000,
} as const;

/**
 * Starts to listen, by TLS where there is a certificate.
 * @param idleMs after so long without a byte either way a connection ends
 * @throws HttpListenError
 */
export async function serveHttp(
  listen: { host: string; port: number },
  pages: Pages,
  certificate?: Certificate,
  idleMs: number = LIMITS.idleMs,
): Promise<HttpEndpoint> {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response, pages);
  };
  const tls = certificate && tlsServer(certificate, onRequest);
  const server = tls ?? createServer(OPTIONS, onRequest);
  server.maxConnections = LIMITS.connections;
  server.timeout = idleMs;
  await started(server, listen);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    setCertificate: ({ cert, key }) => {
      tls?.setSecureContext({ ...TLS_OPTIONS, cert, key });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Older versions have known weaknesses (RFC 8996). */
const TLS_OPTIONS = { minVersion: "TLSv1.2" } as const;

function tlsServer(
  { cert, key }: Certificate,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): TlsServer {
  const options = { ...OPTIONS, ...TLS_OPTIONS, handshakeTimeout: LIMITS.headersMs, cert, key };
  return createTlsServer(options, onRequest);
}

function started(server: Server | TlsServer, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new HttpListenError(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`, cause));
    });
    server.listen({ host, port }, resolve);
  });
}

function answer(request: IncomingMessage, response: ServerResponse, pages: Pages): void {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  const page = pages[path];
  if (request.method !== "GET" && request.method !== "HEAD") {
    send(response, text(405, "only GET and HEAD"), { Allow: "GET, HEAD" });
  } else if (page === undefined) {
    send(response, text(404, `no such page; there are ${Object.keys(pages).join(", ")}`));
  } else {
    send(response, rendered(page));
  }
}

function rendered(page: () => Page): Page {
  try {
    return page();
  } catch (error) {
    return text(500, error instanceof Error ? error.message : String(error));
  }
}

function text(status: number, line: string): Page {
  return { status, contentType: "text/plain; charset=utf-8", body: `${line}\n` };
}

/** Node leaves the body out of the answer to a HEAD. */
function send(
  response: ServerResponse,
  { status, contentType, body }: Page,
  more: Record<string, string> = {},
): void {
  response.writeHead(status, {
    "Content-Type": contentType,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    ...more,
  });
  response.end(body);
}
