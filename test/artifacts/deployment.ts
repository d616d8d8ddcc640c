/** What deploys the sidecar, judged by the tools that will read it: Kubernetes, compose, systemd, the collector. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { packageRoot } from "../support/package-root.js";
import { lastLines, run } from "./process.js";
import { collector, type Fetching, k8scheck, system } from "./tools.js";
import { type Check, judged, notRun, type Verdict } from "./verdict.js";

const COLLECTOR_FILE = "configs/skywalking/otel-collector.yaml";
const COMPOSE_FILE = "docker/compose.yaml";
const UNIT_FILE = "configs/banyandb-ebpf-sidecar.service";
const KUBERNETES = "docker/kubernetes";
const PATCH = "docker/kubernetes/sidecar/sidecar.yaml";

export function deploymentChecks(fetching: Fetching): Check[] {
  return [
    {
      artefact: COLLECTOR_FILE,
      checker: "otelcol validate",
      slow: false,
      run: () => checkCollector(fetching),
    },
    ...manifests().map((file) => ({
      artefact: file,
      checker: "Kubernetes 1.37 decoding and validation",
      slow: false,
      run: () => checkManifest(fetching, file),
    })),
    { artefact: COMPOSE_FILE, checker: "docker-compose config", slow: false, run: checkCompose },
    { artefact: UNIT_FILE, checker: "systemd-analyze verify", slow: false, run: checkUnit },
    { artefact: UNIT_FILE, checker: "systemd-analyze security", slow: false, run: checkExposure },
  ];
}

async function checkCollector(fetching: Fetching): Promise<Verdict> {
  const found = await collector(fetching);
  if ("missing" in found) return notRun(found.missing);
  const result = await run(found.path, ["validate", "--config", join(packageRoot, COLLECTOR_FILE)]);
  return judged(result.code === 0 ? [] : lastLines(result), "valid");
}

/** Manifests that an API server takes; a Kustomization is read by kustomize alone. */
function manifests(): string[] {
  return readdirSync(join(packageRoot, KUBERNETES), { recursive: true })
    .map((name) => join(KUBERNETES, String(name)))
    .filter((file) => file.endsWith(".yaml") && !file.endsWith("kustomization.yaml"))
    .sort();
}

async function checkManifest(fetching: Fetching, file: string): Promise<Verdict> {
  const found = await k8scheck(fetching);
  if ("missing" in found) return notRun(found.missing);
  const folder = mkdtempSync(join(tmpdir(), "check-kubernetes-"));
  try {
    const path = join(folder, "manifest.yaml");
    const text = readFileSync(join(packageRoot, file), "utf8");
    writeFileSync(path, file === PATCH ? patched(text) : text);
    const result = await run(found.path, [path]);
    const said = result.stdout.trim().split("\n");
    return judged(result.code === 0 ? [] : said, said.join("; "));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface PodTemplate {
  readonly spec: { readonly template: { readonly spec: { containers: unknown[]; volumes?: unknown[] } } };
}

/** The least StatefulSet that a chart could make, with the patch of the sidecar merged into it, as JSON. */
function patched(text: string): string {
  const labels = { "app.kubernetes.io/component": "data", "app.kubernetes.io/role": "hot" };
  const { spec } = (parse(text) as PodTemplate).spec.template;
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "banyandb-data", namespace: "default" },
    spec: {
      serviceName: "banyandb-data",
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { ...spec, containers: [{ name: "data", image: "banyandb" }, ...spec.containers] },
      },
    },
  });
}

async function checkCompose(): Promise<Verdict> {
  const found = system("docker-compose");
  if ("missing" in found) return notRun(found.missing);
  const result = await run(found.path, ["-f", join(packageRoot, COMPOSE_FILE), "config"]);
  const services = Object.keys((parse(result.stdout) as { services?: object } | null)?.services ?? {});
  return judged(result.code === 0 ? [] : lastLines(result), `services ${services.join(", ")}`);
}

/** Of an unknown key it only says so, with exit code 0. */
async function checkUnit(): Promise<Verdict> {
  const found = system("systemd-analyze");
  if ("missing" in found) return notRun(found.missing);
  const result = await run(found.path, ["verify", join(packageRoot, UNIT_FILE)]);
  const problems = lastLines(result);
  return judged(
    result.code === 0 ? problems : [...problems, `exit code ${result.code ?? "none"}`],
    "nothing to say",
  );
}

/** From 0 to 10; above this systemd itself calls a service exposed. */
const MOST_EXPOSURE = 4;

async function checkExposure(): Promise<Verdict> {
  const found = system("systemd-analyze");
  if ("missing" in found) return notRun(found.missing);
  const result = await run(found.path, [
    "security",
    "--offline=yes",
    "--no-pager",
    join(packageRoot, UNIT_FILE),
  ]);
  const level = /exposure level for \S+: ([\d.]+)/.exec(result.stdout)?.[1];
  if (level === undefined) return notRun(lastLines(result, 1)[0] ?? "it says nothing");
  return judged(Number(level) <= MOST_EXPOSURE ? [] : [`exposure level ${level}`], `exposure level ${level}`);
}
