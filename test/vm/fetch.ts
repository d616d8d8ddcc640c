/**
 * Fetches the kernels of the matrix from the Debian mirror that this machine is configured for, and keeps of each what
 * a boot needs. Knows nothing of what is done with them.
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
import { openApt, type Apt } from "./apt.js";
import { newestOfEachSeries, type ServedKernel } from "./kernels.js";
import { loadOrder } from "./modules.js";
import type { Architecture, Processor } from "./processors.js";

const run = promisify(execFile);

/** Says which modules were asked for when a kernel was unpacked. */
const ASKED_FILE = "asked-modules";

type Modules = Processor["modules"];

/** A kernel that is ready to boot. */
export interface LocalKernel extends ServedKernel {
  /** Path of the compressed kernel. */
  readonly image: string;
  /** Paths of uncompressed modules, each after those that it needs. */
  readonly modules: readonly string[];
}

/** Where what is fetched is kept between runs; `VM_CACHE` names another folder. */
function cacheFolder(architecture: Architecture): string {
  const folder = process.env["VM_CACHE"] ?? join(homedir(), ".cache/banyandb-ebpf-sidecar/vm");
  return architecture === "amd64" ? folder : join(folder, architecture);
}

export interface KernelSource {
  /** The newest of each series, oldest series first. */
  readonly served: readonly ServedKernel[];
  /** Downloads a kernel, unless it is here, and forgets other versions of its series. */
  fetch(kernel: ServedKernel): Promise<LocalKernel>;
  /** The same lists, for other packages. */
  readonly apt: Apt;
  readonly cache: string;
}

/** Asks the mirror what it serves; without an answer its last one holds. */
export async function openKernelSource({ architecture, flavour, modules }: Processor): Promise<KernelSource> {
  const cache = cacheFolder(architecture);
  const kernels = join(cache, "kernels");
  mkdirSync(kernels, { recursive: true });
  const apt = await openApt(join(cache, "apt"), architecture);
  let trouble = "";
  // Fails when a single suite is gone from the mirror; the others have been read nevertheless.
  await apt("apt-get", ["update"]).catch((error: unknown) => (trouble = String(error)));
  const names = await apt("apt-cache", ["pkgnames", "linux-"]);
  const served = newestOfEachSeries(names.split("\n"), flavour);
  if (served.length === 0) throw new Error(`the mirror serves no kernel: ${trouble}`);
  return {
    served,
    apt,
    cache,
    async fetch(kernel) {
      const folder = join(kernels, kernel.version);
      if (!isComplete(folder, modules)) await download(apt, kernel, modules, folder);
      forgetOthers(kernels, kernel, flavour);
      return localKernel(kernel, folder);
    },
  };
}

/** Whether a kernel is here, with the modules that are wanted now. */
function isComplete(folder: string, modules: Modules): boolean {
  const asked = join(folder, ASKED_FILE);
  return existsSync(asked) && readFileSync(asked, "utf8") === modules.join(" ");
}

async function download(apt: Apt, kernel: ServedKernel, modules: Modules, folder: string): Promise<void> {
  const work = mkdtempSync(`${folder}.`);
  try {
    await apt("apt-get", ["download", ...kernel.packages], work);
    await unpack(work, kernel, modules);
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

/** Leaves in `work`/kernel the image, and the modules with their load order in their names. */
async function unpack(work: string, { version, hasModules }: ServedKernel, wanted: Modules): Promise<void> {
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
  writeFileSync(join(work, "kernel", ASKED_FILE), wanted.join(" "));
  if (!hasModules) return;
  if (folder === undefined) throw new Error(`the packages of ${version} lack its modules`);
  loadOrder(join(folder, "kernel"), wanted).forEach(({ name, content }, i) => {
    writeFileSync(join(work, "kernel", "modules", `${String(i).padStart(2, "0")}-${name}.ko`), content);
  });
}

function forgetOthers(kernels: string, { series, version }: ServedKernel, flavour: string): void {
  for (const name of readdirSync(kernels)) {
    const isOther = name.startsWith(`${series}.`) && name.endsWith(flavour) && name !== version;
    if (isOther) rmSync(join(kernels, name), { recursive: true });
  }
}
