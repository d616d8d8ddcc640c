import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect } from "chai";
import { parseAllDocuments } from "yaml";
import { CAPABILITIES } from "../../../src/cli/capabilities.js";
import { EXIT } from "../../../src/cli/exit-code.js";
import { loadConfig } from "../../../src/config/load.js";
import { readSchema } from "../../../src/config/schema-files.js";
import { claimsToBeOurs, environmentName, isSettingKey, SETTING_KEYS } from "../../../src/config/schema.js";
import { sidecarPages } from "../../../src/observe/pages.js";
import { packageRoot } from "../../support/package-root.js";

type Environment = Readonly<Record<string, string>>;

const ENVIRONMENT_NAMES: ReadonlySet<string> = new Set(SETTING_KEYS.map(environmentName));
const CAPABILITY_NAMES = CAPABILITIES.map(({ name }) => name).sort();

function read(path: string): string {
  return readFileSync(join(packageRoot, path), "utf8");
}

/** Paths of the files below a folder, relative to the root of the package. */
function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(packageRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** Of the sidecar; those of others are in folders below. */
const CONFIGURATIONS = filesBelow("configs").filter((path) => /^configs\/[^/]+\.yaml$/.test(path));
const DEPLOYMENTS = filesBelow("docker");
const MANIFESTS = DEPLOYMENTS.filter((path) => path.endsWith(".yaml"));
const UNIT = "configs/banyandb-ebpf-sidecar.service";
const GUIDE = "docs/OPERATIONS.md";

/** Loads a configuration as root, where no other file can be read. */
function load(path: string, environment: Environment = {}): ReturnType<typeof loadConfig> {
  return loadConfig({
    file: { path, named: true },
    environment,
    flags: [],
    hostname: "host",
    readFile: (name) => {
      if (name !== path) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
      return { text: read(path), ownerId: 0, mode: 0o644 };
    },
    ownIds: [0],
  });
}

/** Every map in a YAML file, however deep. */
function mapsIn(path: string): readonly Readonly<Record<string, unknown>>[] {
  const walk = (node: unknown): Readonly<Record<string, unknown>>[] => {
    if (typeof node !== "object" || node === null) return [];
    const below = Object.values(node).flatMap(walk);
    return Array.isArray(node) ? below : [node as Record<string, unknown>, ...below];
  };
  return parseAllDocuments(read(path)).flatMap((document) => {
    expect(document.errors, path).to.deep.equal([]);
    return walk(document.toJS());
  });
}

interface Variable {
  readonly name: string;
  /** Absent: the cluster fills it in. */
  readonly value?: string;
}

/** What a manifest puts into the environment of its containers; what a cluster fills in is "x". */
function environmentsOf(path: string): readonly Environment[] {
  return mapsIn(path).flatMap(({ env, environment }) => {
    if (environment !== undefined) {
      const values = Object.entries(environment as Environment);
      return [Object.fromEntries(values.map(([name, value]) => [name, value.replaceAll("$$", "$")]))];
    }
    if (env === undefined) return [];
    const variables = env as readonly Variable[];
    return [
      Object.fromEntries(
        variables.map(({ name, value }) => [name, value?.replaceAll(/\$\(\w+\)/g, "x") ?? "x"]),
      ),
    ];
  });
}

describe("the configuration files", () => {
  for (const path of CONFIGURATIONS) {
    it(`${path} is valid`, () => {
      expect(() => load(path)).not.to.throw();
    });
  }
});

describe("what deploys the sidecar", () => {
  for (const path of [...DEPLOYMENTS, ...CONFIGURATIONS, UNIT, GUIDE]) {
    it(`${path} names only variables that exist`, () => {
      const named = [...read(path).matchAll(/\bBANYANDB_EBPF_\w+/g)].map(([name]) => name);
      expect(named.filter((name) => !ENVIRONMENT_NAMES.has(name))).to.deep.equal([]);
    });
  }

  for (const path of MANIFESTS) {
    it(`${path} gives an environment that is a valid configuration`, () => {
      for (const environment of environmentsOf(path)) {
        expect(() => load("configs/default.yaml", environment)).not.to.throw();
      }
    });

    it(`${path} starts it with a configuration of the image`, () => {
      const files = [...read(path).matchAll(/^ +- (\/opt\/banyandb-ebpf-sidecar\/\S+)$/gm)].map(
        (match) => match[1] ?? "",
      );
      for (const file of files) expect(CONFIGURATIONS).to.include(join("configs", basename(file)));
    });

    it(`${path} adds no other capabilities than the sidecar uses`, () => {
      for (const { add, cap_add } of mapsIn(path)) {
        const added = (add ?? cap_add) as readonly string[] | undefined;
        if (added) expect(added.map((name) => `CAP_${name}`).sort()).to.deep.equal(CAPABILITY_NAMES);
      }
    });
  }

  it("are files that set variables and add capabilities, so that the tests above compare something", () => {
    const setting = MANIFESTS.filter((path) =>
      environmentsOf(path).some((environment) => Object.keys(environment).some(claimsToBeOurs)),
    );
    const adding = MANIFESTS.filter((path) => mapsIn(path).some((map) => "add" in map || "cap_add" in map));
    const expected = [
      "docker/compose.yaml",
      "docker/kubernetes/daemonset.yaml",
      "docker/kubernetes/sidecar/sidecar.yaml",
    ];
    expect([...setting].sort()).to.deep.equal(expected);
    expect([...adding].sort()).to.deep.equal(expected);
  });

  it("asks only for pages that exist", () => {
    const pages = Object.keys(
      sidecarPages({ schema: readSchema(), status: () => undefined, totals: () => undefined }),
    );
    const asked = DEPLOYMENTS.flatMap((path) =>
      [...read(path).matchAll(/(?:path: |:8080)(\/[a-z]+)$|:8080(\/[a-z]+)'/gm)].map(
        (match) => match[1] ?? match[2],
      ),
    );
    expect(asked).to.include.members(["/livez", "/readyz", "/metrics"]);
    expect(asked.filter((page) => page !== undefined && !pages.includes(page))).to.deep.equal([]);
  });
});

describe(UNIT, () => {
  const valuesOf = (key: string): readonly string[] =>
    (new RegExp(`^${key}=(.*)$`, "m").exec(read(UNIT))?.[1] ?? "").split(" ").sort();

  it("grants the capabilities that the sidecar uses, and no others", () => {
    expect(valuesOf("AmbientCapabilities")).to.deep.equal(CAPABILITY_NAMES);
    expect(valuesOf("CapabilityBoundingSet")).to.deep.equal(CAPABILITY_NAMES);
  });

  it("does not restart what a restart cannot cure", () => {
    const hopeless = [EXIT.usage, EXIT.noPermission, EXIT.badConfig].map(String);
    expect(valuesOf("RestartPreventExitStatus")).to.deep.equal(hopeless);
  });
});

describe(GUIDE, () => {
  it("names only keys that exist", () => {
    const sections = [...new Set(SETTING_KEYS.map((key) => key.split(".")[0]))].join("|");
    const keys = [...read(GUIDE).matchAll(new RegExp(`\`((?:${sections})\\.[a-z_.]+)\``, "g"))].map(
      (match) => match[1] ?? "",
    );
    expect(keys.length).to.be.greaterThan(5);
    expect(keys.filter((key) => !isSettingKey(key))).to.deep.equal([]);
  });

  it("names every capability that the sidecar uses", () => {
    for (const name of CAPABILITY_NAMES) expect(read(GUIDE)).to.include(name);
  });

  it("names only files that exist", () => {
    const files = [...read(GUIDE).matchAll(/`((?:configs|docker)\/[\w./-]*)`/g)].map(
      (match) => match[1] ?? "",
    );
    expect(files.length).to.be.greaterThan(2);
    for (const file of files) {
      const exists = [...filesBelow("configs"), ...DEPLOYMENTS].some(
        (path) => path === file || (file.endsWith("/") && path.startsWith(file)),
      );
      expect(exists, file).to.equal(true);
    }
  });
});
