/**
 * Fetches the kernels of the matrix from the Debian mirror that this machine is configured for, through apt
 * with lists of its own, and keeps of each what a boot needs. Knows nothing of what is done with them.
 */
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DEBIAN_SUITES, newestOfEachSeries, type ServedKernel } from "./kernels.js";
import { loadOrder } from "./modules.js";

const run = promisify(execFile);

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** What must be loaded to see the disks and the persistent memory of the machine; what is built in has no file. */
const MODULES: readonly string[] = ["virtio_pci", "virtio_blk", "ext4", "nd_e820", "nd_pmem"];
/** Says which modules were asked for when a kernel was unpacked. */
const ASKED_FILE = "asked-modules";
/** A mirror that says nothing for so long is tried again. */
const NETWORK_LIMIT_SEC = 20;
/** Lists of a few suites and names of all packages fit in this. */
const OUTPUT_MAX_BYTES = 64 << 20;

/** A kernel that is ready to boot. */
export interface LocalKernel extends ServedKernel {
  /** Path of the compressed kernel. */
  readonly image: string;
  /** Paths of uncompressed modules, each after those that it needs. */
  readonly modules: readonly string[];
}

/** Where kernels and lists are kept between runs; `VM_CACHE` names another folder. */
function cacheFolder(): string {
  return process.env["VM_CACHE"] ?? join(homedir(), ".cache/banyandb-ebpf-sidecar/vm");
}

export interface KernelSource {
  /** The newest of each series, oldest series first. */
  readonly served: readonly ServedKernel[];
  /** Downloads a kernel, unless it is here, and forgets other versions of its series. */
  fetch(kernel: ServedKernel): Promise<LocalKernel>;
}

/** Asks the mirror what it serves; without an answer its last one holds. */
export async function openKernelSource(): Promise<KernelSource> {
  const cache = cacheFolder();
  const kernels = join(cache, "kernels");
  mkdirSync(kernels, { recursive: true });
  const apt = await openApt(join(cache, "apt"));
  let trouble = "";
  // Fails when a single suite is gone from the mirror; the others have been read nevertheless.
  await apt("apt-get", ["update"]).catch((error: unknown) => (trouble = String(error)));
  const names = await apt("apt-cache", ["pkgnames", "linux-"]);
  const served = newestOfEachSeries(names.split("\n"));
  if (served.length === 0) throw new Error(`the mirror serves no kernel: ${trouble}`);
  return {
    served,
    async fetch(kernel) {
      const folder = join(kernels, kernel.version);
      if (!isComplete(folder)) await download(apt, kernel, folder);
      forgetOthers(kernels, kernel);
      return localKernel(kernel, folder);
    },
  };
}

/** Whether a kernel is here, with the modules that are wanted now. */
function isComplete(folder: string): boolean {
  const asked = join(folder, ASKED_FILE);
  return existsSync(asked) && readFileSync(asked, "utf8") === MODULES.join(" ");
}

async function download(apt: Apt, kernel: ServedKernel, folder: string): Promise<void> {
  const work = mkdtempSync(`${folder}.`);
  try {
    await apt("apt-get", ["download", ...kernel.packages], work);
    await unpack(work, kernel);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, "kernel"), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function localKernel(kernel: ServedKernel, folder: string): LocalKernel {
  const modules = readdirSync(join(folder, "modules")).sort();
  return {
    ...kernel,
    image: join(folder, "vmlinuz"),
    modules: modules.map((name) => join(folder, "modules", name)),
  };
}

/** Runs a program of apt and returns its output; apt-get download writes to the folder in which it runs. */
type Apt = (program: "apt-get" | "apt-cache", args: readonly string[], folder?: string) => Promise<string>;

/** apt with sources, lists and caches of its own, so that the system's stay as they are. */
async function openApt(folder: string): Promise<Apt> {
  for (const name of ["lists/partial", "cache/archives/partial"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const mirrors = await configuredMirrors();
  const sources = DEBIAN_SUITES.flatMap(({ name, mirror }) => {
    const address = mirrors[mirror];
    return address === undefined ? [] : [`deb [arch=amd64 signed-by=${KEYRING}] ${address} ${name} main\n`];
  });
  writeFileSync(join(folder, "sources.list"), sources.join(""));
  writeFileSync(join(folder, "status"), "");
  const settings = {
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    "Dir::Cache::pkgcache": "pkgcache.bin",
    "Dir::Cache::srcpkgcache": "",
    "Acquire::Languages": "none",
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": String(NETWORK_LIMIT_SEC),
    "Acquire::https::Timeout": String(NETWORK_LIMIT_SEC),
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    "APT::Architecture": "amd64",
    "APT::Sandbox::User": "",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  return async (program, args, cwd = folder) => {
    const { stdout } = await run(program, [...options, ...args], { cwd, maxBuffer: OUTPUT_MAX_BYTES });
    return stdout;
  };
}

/** Addresses of the Debian mirrors in the system's sources. */
async function configuredMirrors(): Promise<{ readonly main?: string; readonly security?: string }> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI) $(RELEASE)"]);
  const mirrors: { main?: string; security?: string } = {};
  for (const line of stdout.split("\n")) {
    const [, address, , security] =
      /^(\S+) (bookworm|trixie|forky|stable|testing|sid)(-security)?$/.exec(line) ?? [];
    if (address !== undefined) mirrors[security === undefined ? "main" : "security"] ??= address;
  }
  if (mirrors.main === undefined)
    throw new Error("apt of this machine knows no mirror of Debian 12 or later");
  return mirrors;
}

/** Leaves in `work`/kernel the image, and the modules with their load order in their names. */
async function unpack(work: string, { version, hasModules }: ServedKernel): Promise<void> {
  const tree = join(work, "tree");
  for (const name of readdirSync(work).filter((file) => file.endsWith(".deb"))) {
    await run("dpkg-deb", ["-x", join(work, name), tree]);
  }
  // Since 7.2 the image is beside the modules, and these are in /usr.
  const modules = ["usr/lib/modules", "lib/modules"].map((path) => join(tree, path, version));
  const images = [join(tree, "boot", `vmlinuz-${version}`), ...modules.map((path) => join(path, "vmlinuz"))];
  const [folder, image] = [modules.find(existsSync), images.find(existsSync)];
  if (image === undefined) throw new Error(`the packages of ${version} lack the kernel`);
  mkdirSync(join(work, "kernel", "modules"), { recursive: true });
  writeFileSync(join(work, "kernel", "vmlinuz"), readFileSync(image));
  writeFileSync(join(work, "kernel", ASKED_FILE), MODULES.join(" "));
  if (!hasModules) return;
  if (folder === undefined) throw new Error(`the packages of ${version} lack its modules`);
  loadOrder(join(folder, "kernel"), MODULES).forEach(({ name, content }, i) => {
    writeFileSync(join(work, "kernel", "modules", `${String(i).padStart(2, "0")}-${name}.ko`), content);
  });
}

function forgetOthers(kernels: string, { series, version }: ServedKernel): void {
  for (const name of readdirSync(kernels)) {
    if (name.startsWith(`${series}.`) && name !== version) rmSync(join(kernels, name), { recursive: true });
  }
}
