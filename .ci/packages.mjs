/**
 * System packages: what the build and the tests need, what is missing here, and how to get it. What counts
 * is the program or header itself, not the package: a compiler from elsewhere is as good. Plain Node.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { delimiter, join } from "node:path";
import { StepError, commandLine, run } from "./step.mjs";

/** Each with the names of its package in Debian 12, Debian 13 and Ubuntu 24.04, where they are the same. */
const BUILD_NEEDS = [
  { name: "clang", here: () => runs("clang"), why: "compiles bpf/" },
  { name: "g++", here: () => runs("g++"), why: "compiles addon/" },
  { name: "make", here: () => runs("make"), why: "builds bpf/ and addon/" },
  { name: "libbpf-dev", here: () => header("bpf/libbpf.h"), why: "loads BPF programs (1.1 or newer)" },
  { name: "libelf-dev", here: () => header("gelf.h"), why: "is needed by libbpf" },
  { name: "zlib1g-dev", here: () => header("zlib.h"), why: "is needed by libbpf" },
];
const TEST_NEEDS = [
  { name: "bpftool", here: () => runs("bpftool"), why: "dumps maps, the independent reader of the tests" },
];
/** `npm run test:vm`: the kernel tests on other kernels. */
const VM_NEEDS = [
  { name: "qemu-system-x86", here: () => runs("qemu-system-x86_64"), why: "boots other kernels" },
  {
    name: "virtiofsd",
    here: () => ["/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"].some((path) => existsSync(path)),
    why: "shares a folder with kernels that cannot have disks",
  },
  { name: "busybox-static", here: () => isStatic("/bin/busybox"), why: "is the user space of a guest" },
  { name: "e2fsprogs", here: () => runs("mkfs.ext4", "-V"), why: "makes the disks of a guest" },
  { name: "xz-utils", here: () => runs("xz"), why: "unpacks the modules of other kernels" },
];

/** bpftool is in one of these, and PATH lacks them for users, and on Debian for root after a plain `su`. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
/** A machine that has just started may be installing its updates; wait for that, in seconds. */
const APT_LOCK_SEC = 120;

/** Makes the programs in the system's folders known to this process and those that it starts. */
export function addSystemFolders() {
  process.env.PATH = [process.env.PATH, ...SYSTEM_FOLDERS].join(delimiter);
}

/** What is missing here: a list of {name, why}, empty when all is there. */
export function missingNeeds({ forTests, forVm }) {
  const needs = [...BUILD_NEEDS, ...(forTests ? TEST_NEEDS : []), ...(forVm ? VM_NEEDS : [])];
  return needs.filter((need) => !need.here());
}

/** Facts about this host that decide how its packages are installed. */
export function hostFacts() {
  const text = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const value = (key) => new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return {
    name: value("PRETTY_NAME") || "unknown",
    families: [value("ID"), ...value("ID_LIKE").split(" ")],
    version: Number.parseFloat(value("VERSION_ID")),
    kernel: release(),
    hasApt: runs("apt-get"),
    isRoot: process.getuid() === 0,
  };
}

/** Names of the packages for `needs` on a host, or undefined where they are not known. */
export function packagesFor(needs, host) {
  if (!host.hasApt || !host.families.some((id) => id === "debian" || id === "ubuntu")) return undefined;
  return needs.flatMap(({ name }) => {
    if (name === "bpftool") return bpftoolPackages(host);
    if (name === "virtiofsd") return virtiofsdPackages(host);
    return [name];
  });
}

/** Before Debian 13 it was a part of QEMU. */
function virtiofsdPackages({ families, version }) {
  return families[0] === "debian" && version < 13 ? ["qemu-system-common"] : ["virtiofsd"];
}

/**
 * Up to Ubuntu 24.10 bpftool is part of the tools of each kernel; Debian, and Ubuntu since 25.04, have a
 * package of its own (Ubuntu bug 2007308).
 */
function bpftoolPackages({ families, version, kernel }) {
  return families[0] === "ubuntu" && version < 25.04
    ? ["linux-tools-common", `linux-tools-${kernel}`]
    : ["bpftool"];
}

/** Installs packages by name; fetches the package lists first only when the installation fails without. */
export async function install(packages, progress) {
  const args = ["-y", "--no-install-recommends", "-o", `DPkg::Lock::Timeout=${APT_LOCK_SEC}`];
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...words) => run("apt-get", [...args, ...words], { env, progress });
  try {
    await apt("install", ...packages);
  } catch {
    // No lists, or lists that name versions which are gone: both end with fresh lists.
    await apt("update");
    await apt("install", ...packages);
  }
}

/** Says what a person must do where the set-up cannot install by itself. */
export function instructions(needs, packages, host) {
  const list = needs.map(({ name, why }) => `  ${name}: ${why}`).join("\n");
  if (packages === undefined) {
    return new StepError(
      `No package names are known for ${host.name} (they are for Debian 12, 13 and Ubuntu 24.04). Install these, then try again:\n${list}`,
    );
  }
  const command = commandLine("apt-get install -y --no-install-recommends", packages);
  return new StepError(`Missing:\n${list}\nRun as root, then try again:\n  apt-get update && ${command}`);
}

/** Whether a program is there and can say its version: Ubuntu's bpftool may be a script without its program. */
function runs(program, option = "--version") {
  return spawnSync(program, [option], { stdio: "ignore" }).status === 0;
}

/** A program that needs no library; of others ldd lists them and succeeds. */
function isStatic(path) {
  return existsSync(path) && spawnSync("ldd", [path], { stdio: "ignore" }).status !== 0;
}

function header(name) {
  const folders = ["/usr/include", "/usr/local/include", ...(process.env.CPATH ?? "").split(delimiter)];
  return folders.some((folder) => existsSync(join(folder, name)));
}
