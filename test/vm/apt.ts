/** apt with sources, lists and caches of its own, so that the system's stay as they are; for either processor. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { DEBIAN_SUITES } from "./kernels.js";
import type { Architecture } from "./processors.js";

const run = promisify(execFile);

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
/** A mirror that says nothing for so long is tried again. */
const NETWORK_LIMIT_SEC = 20;
/** Lists of a few suites and names of all packages fit in this. */
const OUTPUT_MAX_BYTES = 64 << 20;

/** Runs a program of apt and returns its output; apt-get download writes to the folder in which it runs. */
export type Apt = (
  program: "apt-get" | "apt-cache",
  args: readonly string[],
  folder?: string,
) => Promise<string>;

/** Keeps all in `folder`. Nothing counts as installed. */
export async function openApt(folder: string, architecture: Architecture): Promise<Apt> {
  for (const name of ["lists/partial", "cache/archives/partial"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  const mirrors = await configuredMirrors();
  const sources = DEBIAN_SUITES.flatMap(({ name, mirror }) => {
    const address = mirrors[mirror];
    return address === undefined
      ? []
      : [`deb [arch=${architecture} signed-by=${KEYRING}] ${address} ${name} main\n`];
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
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
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
