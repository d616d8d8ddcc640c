/** The container image: lint, and a build that is started. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../support/package-root.js";
import { lastLines, type Result, run } from "./process.js";
import { baseImage, BASE_IMAGE, type Fetching, hadolint, system } from "./tools.js";
import { type Check, judged, notRun, type Verdict } from "./verdict.js";

const DOCKERFILE = "docker/Dockerfile";
const IMAGE = "sidecar:check";

export function imageChecks(fetching: Fetching): Check[] {
  const files = readdirSync(join(packageRoot, "docker")).filter((name) => name.startsWith("Dockerfile"));
  return [
    ...files.map((name) => ({
      artefact: `docker/${name}`,
      checker: "hadolint",
      slow: false,
      run: () => lint(fetching, `docker/${name}`),
    })),
    {
      artefact: DOCKERFILE,
      checker: "buildah build, --help, capabilities",
      slow: true,
      run: () => build(fetching),
    },
  ];
}

async function lint(fetching: Fetching, file: string): Promise<Verdict> {
  const found = await hadolint(fetching);
  if ("missing" in found) return notRun(found.missing);
  const result = await run(found.path, [join(packageRoot, file)]);
  return judged(result.code === 0 ? [] : lastLines(result), "nothing to say");
}

async function build(fetching: Fetching): Promise<Verdict> {
  const found = system("buildah");
  if ("missing" in found) return notRun(found.missing);
  if (process.getuid?.() !== 0) return notRun("needs root");
  const base = await baseImage(fetching);
  if ("missing" in base) return notRun(base.missing);
  const folder = mkdtempSync(join(tmpdir(), "check-image-"));
  const store = [
    "--root",
    join(folder, "store"),
    "--runroot",
    join(folder, "run"),
    "--storage-driver",
    "vfs",
  ];
  const buildah = (...args: readonly string[]): Promise<Result> =>
    run(found.path, [...store, ...args], { progress: fetching.progress });
  try {
    return await buildAndStart(buildah, base.path);
  } finally {
    await buildah("rm", "--all");
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Inspected {
  readonly Docker: { readonly config: { readonly User: string; readonly Healthcheck?: object } };
}

type Buildah = (...args: readonly string[]) => Promise<Result>;

/** Behind a proxy with an authority of its own npm must know that one, in the image too. */
function authorities(): string[][] {
  const file = process.env["NODE_EXTRA_CA_CERTS"];
  if (file === undefined || !existsSync(file)) return [];
  const inside = "/etc/ssl/host-authorities.crt";
  return [
    ["copy", "base", file, inside],
    ["config", "--env", `NODE_EXTRA_CA_CERTS=${inside}`, "base"],
  ];
}

/** Each step needs the one before; the first that fails is the problem. */
async function buildAndStart(buildah: Buildah, base: string): Promise<Verdict> {
  const steps: readonly (readonly string[])[] = [
    ["from", "--name", "base", "scratch"],
    ["add", "base", base, "/"],
    ...authorities(),
    ["commit", "base", BASE_IMAGE],
    ["rm", "base"],
    // The default format would drop the HEALTHCHECK. Its own network is the one of this machine.
    [
      ...["bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--tag", IMAGE],
      ...["--file", join(packageRoot, DOCKERFILE), packageRoot],
    ],
    ["from", "--pull-never", "--name", "sidecar", IMAGE],
  ];
  for (const step of steps) {
    const result = await buildah(...step);
    if (result.code !== 0) return judged([`buildah ${step[0] ?? ""}:`, ...lastLines(result)], "");
  }
  const help = await buildah(
    "run",
    "--isolation",
    "chroot",
    "sidecar",
    "--",
    "banyandb-ebpf-sidecar",
    "--help",
  );
  if (!help.stdout.includes("banyandb-ebpf-sidecar")) return judged(["--help:", ...lastLines(help)], "");
  const inspected = await buildah("inspect", "--type", "image", IMAGE);
  const { config } = (JSON.parse(inspected.stdout) as Inspected).Docker;
  const mount = (await buildah("mount", "sidecar")).stdout.trim();
  const capabilities = (await run("getcap", ["-r", join(mount, "usr"), join(mount, "opt")])).stdout.trim();
  const megabytes = (await run("du", ["-sm", mount])).stdout.split("\t")[0] ?? "?";
  const problems = [
    ...(config.Healthcheck === undefined ? ["it has no HEALTHCHECK"] : []),
    // File capabilities would make the image refuse to start without them.
    ...(capabilities === "" ? [] : [`file capabilities: ${capabilities}`]),
  ];
  return judged(
    problems,
    `--help answers; user ${config.User === "" ? "root" : config.User}, no file capabilities, ${megabytes} MB`,
  );
}
