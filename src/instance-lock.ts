/**
 * One sidecar per group and node on a host: two would write the same rows. The lock is an abstract unix
 * socket, which the kernel gives back when its process dies, however it dies. Limits: docs/decisions/0003.
 */
import { createHash } from "node:crypto";
import { connect, createServer, type Server } from "node:net";

export interface LockName {
  readonly group: string;
  readonly nodeId: string;
}

export interface InstanceLock {
  release(): Promise<void>;
}

/** Another process holds the lock. */
export class InstanceLockError extends Error {
  /** undefined where the holder did not answer. */
  readonly pid: number | undefined;

  constructor({ group, nodeId }: LockName, pid: number | undefined) {
    const who =
      pid === undefined ? "another process, which does not tell its pid," : `another sidecar, pid ${pid},`;
    super(`${who} writes group ${group} as node ${nodeId} on this host; stop it, or set another node.id`);
    this.name = "InstanceLockError";
    this.pid = pid;
  }
}

/** How long a holder may take to tell its pid. */
const ANSWER_MS = 1000;

/** A holder may die between the refusal and the question; then the lock is free and is tried again. */
const ATTEMPTS = 3;

/**
 * Takes the lock.
 * @throws InstanceLockError where another process has it
 */
export async function acquireInstanceLock(name: LockName): Promise<InstanceLock> {
  const path = socketName(name);
  for (let attempt = 1; ; attempt++) {
    const server = await listen(path);
    if (server) return { release: () => closed(server) };
    const holder = await askHolder(path);
    if (holder.alive || attempt === ATTEMPTS) throw new InstanceLockError(name, holder.pid);
  }
}

/** A leading NUL makes the name abstract (unix(7)); the hash keeps it within the 107 bytes of sun_path. */
function socketName({ group, nodeId }: LockName): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([group, nodeId]))
    .digest("hex");
  return `\0banyandb-ebpf-sidecar/${digest}`;
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined); // whoever asked may hang up before the answer
      socket.end(String(process.pid));
    });
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve(server);
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}

function askHolder(path: string): Promise<{ alive: boolean; pid: number | undefined }> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(path);
    const finish = (alive: boolean): void => {
      socket.destroy();
      const pid = Number(text);
      resolve({ alive, pid: Number.isInteger(pid) && pid > 0 ? pid : undefined });
    };
    socket.setEncoding("utf8");
    socket.setTimeout(ANSWER_MS, () => {
      finish(true);
    });
    socket.on("data", (part: string) => {
      text = (text + part).slice(0, 20);
    });
    socket.on("end", () => {
      finish(true);
    });
    socket.on("error", () => {
      finish(false);
    });
  });
}
