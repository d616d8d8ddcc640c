import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import { acquireInstanceLock, InstanceLockError } from "../../src/instance-lock.js";

const MODULE = new URL("../../src/instance-lock.js", import.meta.url).href;

/** A process that takes the lock, says so, and lives until it is killed. */
async function holder(nodeId: string) {
  const script = `
    const { acquireInstanceLock } = await import(${JSON.stringify(MODULE)});
    await acquireInstanceLock({ group: "ebpf", nodeId: ${JSON.stringify(nodeId)} });
    console.log("locked");
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return {
    pid: child.pid,
    async kill() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function refusal(nodeId: string): Promise<InstanceLockError> {
  try {
    await acquireInstanceLock({ group: "ebpf", nodeId });
  } catch (error) {
    if (error instanceof InstanceLockError) return error;
    throw error;
  }
  throw new Error("the lock was given twice");
}

describe("the instance lock", () => {
  const nodeId = `lock-test-${process.pid}`;

  it("is refused while another process has it, with that process's pid, and free once it was killed", async () => {
    const other = await holder(nodeId);
    try {
      const error = await refusal(nodeId);
      expect(error.pid).to.equal(other.pid);
      expect(error.message).to.equal(
        `another sidecar, pid ${other.pid ?? "?"}, writes group ebpf as node ${nodeId} on this host; stop it, or set another node.id`,
      );
    } finally {
      await other.kill();
    }
    const lock = await acquireInstanceLock({ group: "ebpf", nodeId });
    await lock.release();
  });

  it("is one per group and node", async () => {
    const locks = await Promise.all([
      acquireInstanceLock({ group: "ebpf", nodeId }),
      acquireInstanceLock({ group: "ebpf2", nodeId }),
      acquireInstanceLock({ group: "ebpf", nodeId: `${nodeId}-2` }),
    ]);
    await Promise.all(locks.map((lock) => lock.release()));
  });

  it("can be taken again after its release", async () => {
    const first = await acquireInstanceLock({ group: "ebpf", nodeId });
    expect((await refusal(nodeId)).pid).to.equal(process.pid);
    await first.release();
    const second = await acquireInstanceLock({ group: "ebpf", nodeId });
    await second.release();
  });
});
