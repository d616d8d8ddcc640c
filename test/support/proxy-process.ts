/** Fault proxies in a process of their own, so that what they take is not the memory of the tested one. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startFaultProxy, type FaultProxy, type ProxyMode } from "./fault-proxy.js";

export interface ProxyProcess {
  /** As `startFaultProxy`; numbers of connections are up to 20 ms old. */
  start(target: string): Promise<FaultProxy>;
  close(): Promise<void>;
}

type Order =
  | { readonly kind: "start"; readonly target: string }
  | { readonly kind: "set"; readonly mode: ProxyMode }
  | { readonly kind: "reset" | "finish" | "close" }
  | { readonly kind: "resetAfterReplyBytes" | "resetAfterRequestBytes"; readonly bytes: number };

interface Request {
  readonly id: number;
  readonly proxy: number;
  readonly order: Order;
}

interface Counts {
  readonly made: number;
  readonly open: number;
}

/** The result of an order, or how the connections of all proxies stand. */
type Message = { readonly id: number; readonly address: string } | { readonly counts: readonly Counts[] };

const SELF = fileURLToPath(import.meta.url);
const COUNTS_MS = 20;

export function startProxyProcess(): ProxyProcess {
  // Structured clones, since JSON knows no infinity.
  const child = fork(SELF, [], { serialization: "advanced" });
  const waiting = new Map<number, (address: string) => void>();
  let counts: readonly Counts[] = [];
  let [requests, proxies] = [0, 0];
  child.on("message", (message: Message) => {
    if ("counts" in message) counts = message.counts;
    else {
      waiting.get(message.id)?.(message.address);
      waiting.delete(message.id);
    }
  });
  const ask = (proxy: number, order: Order): Promise<string> =>
    new Promise((resolve) => {
      const request: Request = { id: requests++, proxy, order };
      waiting.set(request.id, resolve);
      child.send(request);
    });

  return {
    async start(target) {
      const proxy = proxies++;
      const address = await ask(proxy, { kind: "start", target });
      const tell = (order: Order) => void ask(proxy, order);
      return {
        address,
        set: async (mode) => {
          await ask(proxy, { kind: "set", mode });
        },
        reset: () => {
          tell({ kind: "reset" });
        },
        finish: () => {
          tell({ kind: "finish" });
        },
        resetAfterReplyBytes: (bytes) => {
          tell({ kind: "resetAfterReplyBytes", bytes });
        },
        resetAfterRequestBytes(bytes, instead) {
          if (instead) throw new Error("another process cannot call back");
          tell({ kind: "resetAfterRequestBytes", bytes });
        },
        connections: () => counts[proxy]?.made ?? 0,
        open: () => counts[proxy]?.open ?? 0,
        close: async () => {
          await ask(proxy, { kind: "close" });
        },
      };
    },
    async close() {
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

async function obey(proxy: FaultProxy, order: Exclude<Order, { kind: "start" }>): Promise<void> {
  switch (order.kind) {
    case "set":
      return proxy.set(order.mode);
    case "close":
      return proxy.close();
    case "reset":
    case "finish":
      proxy[order.kind]();
      return;
    case "resetAfterReplyBytes":
    case "resetAfterRequestBytes":
      proxy[order.kind](order.bytes);
  }
}

function serve(): void {
  const proxies = new Map<number, FaultProxy>();
  const answer = async ({ id, proxy, order }: Request): Promise<void> => {
    if (order.kind === "start") proxies.set(proxy, await startFaultProxy(order.target));
    const asked = proxies.get(proxy);
    if (!asked) throw new Error(`there is no proxy ${proxy}`);
    if (order.kind !== "start") await obey(asked, order);
    process.send?.({ id, address: asked.address });
  };
  process.on("message", (request: Request) => void answer(request));
  let told = "";
  setInterval(() => {
    const counts = [...proxies.values()].map((proxy) => ({ made: proxy.connections(), open: proxy.open() }));
    if (JSON.stringify(counts) === told) return;
    told = JSON.stringify(counts);
    process.send?.({ counts });
  }, COUNTS_MS);
  // Ends with its parent, however that ends.
  process.once("disconnect", () => process.exit());
}

if (process.argv[1] === SELF) serve();
