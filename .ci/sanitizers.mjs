/**
 * The addon with the sanitizers for addresses, leaks and undefined behaviour, and a Node that loads it in place of
 * the usual one. Nothing is suppressed: Node itself is clean. Plain Node.
 */
import { spawnSync } from "node:child_process";
import os from "node:os";
import { run } from "./step.mjs";

const FOLDER = "build/sanitized";
const FLAGS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all";

/** Builds it beside the usual one. */
export async function buildSanitized(progress) {
  const jobs = `-j${os.availableParallelism()}`;
  const variables = [`OUT=../${FOLDER}`, `CXXFLAGS=${FLAGS}`];
  await run("make", ["-C", "addon", "--no-print-directory", jobs, ...variables], { progress });
}

/** Starts Node where only it sees the other addon, at the path of the usual one. */
export function sanitizedNode() {
  const script = `mount --bind ${FOLDER}/sidecar.node build/sidecar.node && exec "$@"`;
  const setting = "data:text/javascript,process.env.ASAN_OPTIONS='detect_leaks=0'";
  // The search for leaks ends a process in a pid namespace of its own, and bpftool leaks: only mocha is searched.
  return ["unshare", "--mount", "sh", "-c", script, "sh", process.execPath, "--import", setting];
}

/** The runtime must be there before the program that loads the addon. */
export function sanitizerEnv() {
  const { stdout } = spawnSync("g++", ["-print-file-name=libasan.so"], { encoding: "utf8" });
  return {
    LD_PRELOAD: stdout.trim(),
    ASAN_OPTIONS: "detect_stack_use_after_return=1:strict_init_order=1",
    UBSAN_OPTIONS: "print_stacktrace=1",
  };
}
