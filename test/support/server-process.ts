/** The embedded BanyanDB in a process of its own, which can be stopped in the middle of anything by a signal. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startEmbedded } from "../../src/embedded/server.js";

export interface ServerProcess {
  /** host:port */
  readonly address: string;
  readonly pid: number;
  /** SIGSTOP: it hangs, with all its connections. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** The server in it ends, as by SIGTERM or SIGKILL, and starts again. */
  bounce(how: "stop" | "kill"): Promise<void>;
  close(): Promise<void>;
}

const SELF = fileURLToPath(import.meta.url);

export async function startServerProcess(): Promise<ServerProcess> {
  const child: ChildProcess = fork(SELF, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [address] = (await once(child, "message")) as [string];
  const { pid } = child;
  if (pid === undefined) throw new Error("the server did not start");
  return {
    address,
    pid,
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
    async bounce(how) {
      const done = once(child, "message");
      child.send(how);
      await done;
    },
    async close() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

if (process.argv[1] === SELF) {
  const server = await startEmbedded({ host: "127.0.0.1", port: 0, flushMs: 1000, maxRows: 5_000_000 });
  process.send?.(server.address);
  process.on("message", (how: "stop" | "kill") => {
    void server[how]()
      .then(() => server.restart())
      .then(() => process.send?.("done"));
  });
  // Ends with its parent, however that ends.
  process.once("disconnect", () => process.exit());
}
