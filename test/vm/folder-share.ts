/** Shares a folder of this machine with a guest (virtiofs, built into Debian's kernels since 6.12). */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { waitFor } from "../support/wait.js";

/** In Debian 12 it is part of QEMU, since Debian 13 a package of its own. */
const PROGRAMS: readonly string[] = ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"];

export interface FolderShare {
  end(): void;
}

/** Resolves when QEMU can connect to `socket`. The share does not outlive this process. */
export async function startFolderShare(folder: string, socket: string): Promise<FolderShare> {
  const program = PROGRAMS.find((path) => existsSync(path));
  if (program === undefined) throw new Error("virtiofsd is missing");
  // The guest's own page cache is what is tested: it may keep everything.
  const options = ["source=" + folder, "cache=always", "sandbox=chroot"].flatMap((option) => ["-o", option]);
  const child = spawn(program, [`--socket-path=${socket}`, ...options], { stdio: "ignore" });
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  child.on("close", () => process.off("exit", kill));
  const started = new Promise<never>((_, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      reject(new Error(`virtiofsd ended with ${String(code)}`));
    });
  });
  await Promise.race([started, waitFor("virtiofsd listens", () => existsSync(socket))]);
  // It ends by itself with the connection; nobody waits for that any longer.
  started.catch(() => undefined);
  return { end: kill };
}
