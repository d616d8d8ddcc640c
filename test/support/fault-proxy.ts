/** A TCP proxy on the loopback that misbehaves on command: a slow, dead or broken way to the server. */
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/**
 * open: bytes pass. refuse: connections are refused, the present ones reset. silent: connections are accepted, and
 * the present ones stay, but no byte passes. slow: every piece waits `delayMs`. narrow: so many bytes per second in
 * each direction.
 */
export type ProxyMode =
  | { readonly kind: "open" }
  | { readonly kind: "refuse" }
  | { readonly kind: "silent" }
  | { readonly kind: "slow"; readonly delayMs: number }
  | { readonly kind: "narrow"; readonly bytesPerSec: number };

export interface FaultProxy {
  /** host:port to connect to. */
  readonly address: string;
  set(mode: ProxyMode): Promise<void>;
  /** Resets all connections (RST). */
  reset(): void;
  /** Ends all connections (FIN). */
  finish(): void;
  /** Resets the connections once this many more bytes have come back from the server. */
  resetAfterReplyBytes(bytes: number): void;
  /** Resets the connections once this many more bytes have gone to the server; or does something else. */
  resetAfterRequestBytes(bytes: number, instead?: () => void): void;
  /** Connections made so far. */
  connections(): number;
  /** Connections that are open now. */
  open(): number;
  close(): Promise<void>;
}

interface Budget {
  bytes: number;
  spent: () => void;
}

/** Below the ports of outgoing connections (net.ipv4.ip_local_port_range, from 32768 on). */
const OWN_PORTS = [20_000, 32_000] as const;
/** Pieces that a narrow way passes per second. */
const PIECES_PER_SEC = 20;

/** @param target host:port */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  const held: (() => void)[] = [];
  const requests: Budget = { bytes: Number.POSITIVE_INFINITY, spent: resetAll };
  const replies: Budget = { bytes: Number.POSITIVE_INFINITY, spent: resetAll };
  let mode: ProxyMode = { kind: "open" };
  let made = 0;
  let server: Server | undefined = await listenAnywhere();
  const own = (server.address() as AddressInfo).port;

  function track(socket: Socket): void {
    sockets.add(socket);
    // Otherwise every answer takes the 40 ms of a delayed acknowledgement.
    socket.setNoDelay(true);
    // Errors of a proxied connection are what the tests are about; close follows.
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  }

  function resetAll(): void {
    for (const socket of sockets) socket.resetAndDestroy();
    held.length = 0;
  }

  function pass(chunk: Buffer, from: Socket, to: Socket, budget: Budget, line: Line): void {
    budget.bytes -= chunk.length;
    if (budget.bytes <= 0) {
      budget.bytes = Number.POSITIVE_INFINITY;
      budget.spent();
      return;
    }
    const write = (piece: Buffer, delayMs = 0): void => {
      line.later(() => {
        if (!to.destroyed) to.write(piece);
      }, delayMs);
    };
    if (mode.kind === "narrow") {
      squeeze(chunk, from, mode.bytesPerSec, line, write);
    } else if (mode.kind === "silent") {
      held.push(() => {
        write(chunk);
      });
    } else {
      write(chunk, mode.kind === "slow" ? mode.delayMs : 0);
    }
  }

  function accept(client: Socket): void {
    made++;
    track(client);
    const upstream = connect(Number(port), host);
    track(upstream);
    const [there, back] = [createLine(), createLine()];
    client.on("data", (chunk) => {
      pass(chunk, client, upstream, requests, there);
    });
    upstream.on("data", (chunk) => {
      pass(chunk, upstream, client, replies, back);
    });
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  }

  function listen(onPort: number): Promise<Server> {
    return new Promise((resolve, reject) => {
      const created = createServer(accept);
      created.once("error", reject);
      created.listen(onPort, "127.0.0.1", () => {
        resolve(created);
      });
    });
  }

  /** On a port that the system gives to nobody by itself, since it must be free again after an outage. */
  async function listenAnywhere(): Promise<Server> {
    const [least, most] = OWN_PORTS;
    for (;;) {
      try {
        return await listen(least + Math.floor(Math.random() * (most - least)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      }
    }
  }

  async function stopListening(): Promise<void> {
    const listening = server;
    server = undefined;
    if (!listening) return;
    const closed = new Promise((resolve) => listening.close(resolve));
    resetAll();
    await closed;
  }

  return {
    address: `127.0.0.1:${own}`,
    async set(wanted) {
      mode = wanted;
      if (wanted.kind === "refuse") await stopListening();
      else server ??= await listen(own);
      if (wanted.kind !== "silent") for (const write of held.splice(0)) write();
    },
    reset: resetAll,
    finish() {
      for (const socket of sockets) socket.end();
      held.length = 0;
    },
    resetAfterReplyBytes(bytes) {
      replies.bytes = bytes;
    },
    resetAfterRequestBytes(bytes, instead = resetAll) {
      requests.bytes = bytes;
      requests.spent = instead;
    },
    connections: () => made,
    open: () => sockets.size / 2,
    close: stopListening,
  };
}

/** One direction of a connection. */
interface Line {
  /** Does something when its time has come, and never before what was handed in earlier. */
  later(action: () => void, delayMs: number): void;
  /** When what was squeezed into it is through. */
  freeAtMs: number;
}

/** For the pieces of one direction: a way that becomes faster must not let the later ones overtake. */
function createLine(): Line {
  const waiting: { readonly action: () => void; readonly dueMs: number }[] = [];
  const advance = (): void => {
    for (let first = waiting[0]; first; first = waiting[0]) {
      const inMs = first.dueMs - performance.now();
      if (inMs > 0) {
        setTimeout(advance, inMs).unref();
        return;
      }
      waiting.shift();
      first.action();
    }
  };
  return {
    freeAtMs: 0,
    later(action, delayMs) {
      waiting.push({ action, dueMs: performance.now() + delayMs });
      if (waiting.length === 1) advance();
    },
  };
}

/** Takes no more from a socket until the chunk has gone on in small pieces. */
function squeeze(
  chunk: Buffer,
  from: Socket,
  bytesPerSec: number,
  line: Line,
  write: (piece: Buffer, delayMs: number) => void,
): void {
  from.pause();
  const nowMs = performance.now();
  const beginMs = Math.max(nowMs, line.freeAtMs);
  const pieceBytes = Math.max(1, Math.floor(bytesPerSec / PIECES_PER_SEC));
  for (let at = 0; at < chunk.length; at += pieceBytes) {
    const piece = chunk.subarray(at, at + pieceBytes);
    line.freeAtMs = beginMs + ((at + piece.length) / bytesPerSec) * 1000;
    write(piece, line.freeAtMs - nowMs);
  }
  line.later(() => {
    from.resume();
  }, line.freeAtMs - nowMs);
}
