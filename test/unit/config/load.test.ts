import { expect } from "chai";
import type { GuardedFile } from "../../../src/config/guarded-file.js";
import { type ConfigInput, type FlagSetting, loadConfig } from "../../../src/config/load.js";
import { ConfigError, type ConfigProblem } from "../../../src/config/problems.js";

function input(
  file: string,
  environment: Record<string, string> = {},
  flags: readonly FlagSetting[] = [],
): ConfigInput {
  return {
    file: { path: "sidecar.yaml", named: true },
    environment,
    flags,
    hostname: "node-7",
    readFile: () => ({ text: file, ownerId: 0, mode: 0o600 }),
    ownIds: [1000],
  };
}

function set(key: string, text: string): FlagSetting {
  return { key, text, flag: `--set ${key}` };
}

function unreadable(code: string, named: boolean): ConfigInput {
  return {
    ...input(""),
    file: { path: "sidecar.yaml", named },
    readFile: () => {
      throw Object.assign(new Error("no"), { code });
    },
  };
}

/** Files by path; each is of root and for root alone, but for what is given. */
function files(given: Readonly<Record<string, Partial<GuardedFile>>>): Pick<ConfigInput, "readFile"> {
  return {
    readFile: (path) => {
      const facts = given[path] ?? (path === "sidecar.yaml" ? {} : undefined);
      if (!facts) throw Object.assign(new Error("no"), { code: "ENOENT" });
      return { text: "", ownerId: 0, mode: 0o600, ...facts };
    },
  };
}

const SECRET = "banyandb: { username: me, password: hunter2 }\n";

function problemsOf(given: ConfigInput): readonly ConfigProblem[] {
  try {
    loadConfig(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("loading the configuration", () => {
  it("gives the documented defaults where nothing is set", () => {
    const { config } = loadConfig(input(""));
    expect(config).to.deep.equal({
      intervalMs: 10_000,
      node: { id: "node-7:17912", cluster: "n/a", role: "n/a", type: "n/a" },
      targets: [
        {
          select: { name: "banyand", command: undefined, cgroup: undefined, pid: undefined },
          node: { id: "node-7:17912", cluster: "n/a", role: "n/a", type: "n/a" },
        },
      ],
      kernel: {
        tier: "auto",
        latency: "sampled",
        latencyBuckets: false,
        syscallPrograms: false,
        allowDegraded: false,
        pinPath: undefined,
        orphanTimeoutMs: 600_000,
      },
      banyandb: {
        endpoints: ["127.0.0.1:17912"],
        group: "ebpf",
        ttlDays: 7,
        segmentDays: 1,
        shards: 1,
        username: undefined,
        password: undefined,
        passwordFile: undefined,
        tls: undefined,
      },
      queue: { maxBytes: 33_554_432, maxAgeMs: 7 * 86_400_000 },
      delivery: { audit: false },
      http: { listen: { host: "127.0.0.1", port: 8080 }, tls: undefined, metricsLabels: {} },
      log: { level: "info" },
    });
  });

  it("lets flags win over the environment, that over the file, and that over the default", () => {
    const file = "interval: 1s\nnode: { cluster: file, role: file }\nlog: { level: warn }\n";
    const environment = {
      BANYANDB_EBPF_NODE_CLUSTER: "environment",
      BANYANDB_EBPF_NODE_ROLE: "environment",
    };
    const { config, values } = loadConfig(input(file, environment, [set("node.role", "flag")]));
    expect(config.intervalMs).to.equal(1000);
    expect(config.node).to.deep.equal({
      id: "node-7:17912",
      cluster: "environment",
      role: "flag",
      type: "n/a",
    });
    expect(config.log.level).to.equal("warn");
    const sources = Object.fromEntries(values.map(({ key, source }) => [key, source]));
    expect(sources).to.include({
      interval: "file sidecar.yaml:1",
      "node.cluster": "environment BANYANDB_EBPF_NODE_CLUSTER",
      "node.role": "flag --set node.role",
      "node.type": "default",
    });
  });

  it("takes the last of two flags for the same key", () => {
    const { config } = loadConfig(input("", {}, [set("interval", "1s"), set("interval", "250ms")]));
    expect(config.intervalMs).to.equal(250);
  });

  it("reads lists, sizes, addresses and switches alike from file, environment and flag", () => {
    const file = [
      "banyandb: { endpoints: [a:1, '[::1]:2'] }",
      "queue: { max_bytes: 1 GiB }",
      "kernel: { allow_degraded: true }",
      "http: { metrics_labels: [pod_name=b-0, container_name=a b] }",
    ].join("\n");
    const environment = {
      BANYANDB_EBPF_BANYANDB_ENDPOINTS: "a:1, [::1]:2",
      BANYANDB_EBPF_QUEUE_MAX_BYTES: "1073741824",
      BANYANDB_EBPF_KERNEL_ALLOW_DEGRADED: "true",
      BANYANDB_EBPF_HTTP_METRICS_LABELS: "pod_name=b-0, container_name=a b",
    };
    const flags = [
      set("banyandb.endpoints", "a:1,[::1]:2"),
      set("queue.max_bytes", "1024MiB"),
      set("kernel.allow_degraded", "true"),
      set("http.metrics_labels", "pod_name=b-0,container_name=a b"),
    ];
    for (const given of [input(file), input("", environment), input("", {}, flags)]) {
      const { config } = loadConfig(given);
      expect(config.banyandb.endpoints).to.deep.equal(["a:1", "[::1]:2"]);
      expect(config.queue.maxBytes).to.equal(2 ** 30);
      expect(config.kernel.allowDegraded).to.equal(true);
      expect(config.http.metricsLabels).to.deep.equal({ pod_name: "b-0", container_name: "a b" });
    }
  });

  it("keeps a text as it was written, even where YAML would see a number", () => {
    const { config } = loadConfig(input("node: { cluster: 0123, role: 1e3, type: 'true' }"));
    expect(config.node).to.include({ cluster: "0123", role: "1e3", type: "true" });
  });

  it("switches the endpoint off with `off`", () => {
    expect(loadConfig(input("http: { listen: off }")).config.http.listen).to.equal(undefined);
  });

  it("takes an optional key without a value, a section without keys and an empty variable for not set", () => {
    const { config } = loadConfig(input("target:\n  pid:\nnode:\n", { BANYANDB_EBPF_NODE_ID: "" }));
    expect(config.targets[0]?.select.pid).to.equal(undefined);
    expect(config.node.id).to.equal("node-7:17912");
  });

  it("freezes the result deeply", () => {
    const { config } = loadConfig(input(""));
    expect(Object.isFrozen(config)).to.equal(true);
    expect(Object.isFrozen(config.banyandb.endpoints)).to.equal(true);
  });

  it("does without a default file, but not without a named one", () => {
    expect(problemsOf(unreadable("ENOENT", false))).to.deep.equal([]);
    expect(problemsOf(unreadable("ENOENT", true))).to.deep.equal([
      { key: undefined, source: "file sidecar.yaml", message: "cannot be read: ENOENT" },
    ]);
  });

  it("refuses a default file that exists and cannot be read", () => {
    expect(problemsOf(unreadable("EACCES", false))).to.have.length(1);
  });

  it("ignores the variables that Kubernetes adds for a Service called banyandb-ebpf", () => {
    const environment = {
      BANYANDB_EBPF_SERVICE_HOST: "10.0.0.1",
      BANYANDB_EBPF_SERVICE_PORT: "8080",
      BANYANDB_EBPF_SERVICE_PORT_HTTP: "8080",
      BANYANDB_EBPF_PORT: "tcp://10.0.0.1:8080",
      BANYANDB_EBPF_PORT_8080_TCP_ADDR: "10.0.0.1",
      PATH: "/bin",
    };
    expect(problemsOf(input("", environment))).to.deep.equal([]);
  });
});

describe("errors of the configuration", () => {
  it("are all reported at once, each with its key, value, rule and source", () => {
    const file = "interval: 5ms\nnode:\n  name: x\nqueue: 7\n";
    const environment = { BANYANDB_EBPF_BANYANDB_SHARDS: "many", BANYANDB_EBPF_NODEID: "x" };
    const flags = [set("log.level", "loud"), set("banyandb.grup", "x")];
    const problems = problemsOf(input(file, environment, flags));
    expect(problems.map(({ key, source }) => [key, source])).to.have.deep.members([
      ["node.name", "file sidecar.yaml:3"],
      ["queue", "file sidecar.yaml:4"],
      [undefined, "environment BANYANDB_EBPF_NODEID"],
      ["banyandb.grup", "flag --set banyandb.grup"],
      ["interval", "file sidecar.yaml:1"],
      ["banyandb.shards", "environment BANYANDB_EBPF_BANYANDB_SHARDS"],
      ["log.level", "flag --set log.level"],
    ]);
    const interval = problems.find(({ key }) => key === "interval");
    expect(interval?.message).to.equal(
      '"5ms" is not allowed: must be a duration from 10ms to 60s with its unit (ms, s, m or h)',
    );
  });

  it("come from an unreadable file together with those of the flags", () => {
    const given = { ...unreadable("EISDIR", true), flags: [set("interval", "soon")] };
    expect(problemsOf(given).map(({ key }) => key)).to.deep.equal([undefined, "interval"]);
  });

  const refused: readonly [string, string][] = [
    ["interval", "10"],
    ["interval", "1.5ms"],
    ["interval", "61s"],
    ["node.id", "a\u0007b"],
    ["target.name", "/usr/bin/banyand"],
    ["target.command", "("],
    ["target.pid", "0"],
    ["target.pid", "12x"],
    ["kernel.tier", "best"],
    ["kernel.allow_degraded", "yes"],
    ["banyandb.endpoints", "localhost"],
    ["banyandb.endpoints", "a:1,,b:2"],
    ["banyandb.endpoints", "::1:17912"],
    ["banyandb.endpoints", "a:65536"],
    ["banyandb.group", "sw_metric"],
    ["banyandb.group", "_own"],
    ["banyandb.group", "with-dash"],
    ["banyandb.ttl_days", "7.5"],
    ["queue.max_bytes", "1000"],
    ["queue.max_bytes", "2GiB"],
    ["queue.max_bytes", "32 MB"],
    ["http.listen", "8080"],
    ["http.metrics_labels", "pod_name"],
    ["http.metrics_labels", "a=1,a=2"],
    ["http.metrics_labels", "a="],
    ["http.metrics_labels", "a=}"],
    ["http.metrics_labels", "__a=1"],
    ["http.metrics_labels", "pod-name=x"],
    ["log.level", "trace"],
  ];
  for (const [key, text] of refused) {
    it(`are found in ${key} = ${JSON.stringify(text)}`, () => {
      expect(problemsOf(input("", {}, [set(key, text)])).map((problem) => problem.key)).to.deep.equal([key]);
    });
  }

  it("are found where a value has the wrong shape or is missing", () => {
    const file = "interval: [1s]\nlog:\n  level:\nnode:\n  id: { a: b }\nbanyandb:\n  endpoints: [[a:1]]\n";
    expect(problemsOf(input(file)).map(({ key, source }) => [key, source])).to.have.deep.members([
      ["interval", "file sidecar.yaml:1"],
      ["log.level", "file sidecar.yaml:3"],
      ["node.id", "file sidecar.yaml:5"],
      ["banyandb.endpoints", "file sidecar.yaml:7"],
    ]);
  });

  it("are found where two values contradict each other", () => {
    const flags = [set("banyandb.segment_days", "8"), set("banyandb.username", "me")];
    expect(problemsOf(input("", {}, flags)).map(({ key, message }) => [key, message])).to.deep.equal([
      ["banyandb.segment_days", "8 is more than banyandb.ttl_days, which is 7"],
      ["banyandb.username", "set without banyandb.password or banyandb.password_file; both or neither"],
    ]);
  });

  const contradictory: readonly [string, Record<string, string>, string, RegExp][] = [
    [
      "a password without user",
      { PASSWORD_FILE: "pw" },
      "banyandb.password_file",
      /without banyandb.username/,
    ],
    [
      "two passwords",
      { USERNAME: "me", PASSWORD: "a", PASSWORD_FILE: "pw" },
      "banyandb.password_file",
      /beside banyandb.password/,
    ],
    [
      "authorities without TLS",
      { TLS_CA_FILE: "ca" },
      "banyandb.tls.ca_file",
      /while banyandb.tls.enabled is false/,
    ],
    [
      "a certificate without key",
      { HTTP_TLS_CERT_FILE: "pw" },
      "http.tls.cert_file",
      /without http.tls.key_file/,
    ],
    ["a name without TLS", { TLS_SERVER_NAME: "b" }, "banyandb.tls.server_name", /tls.enabled is false/],
  ];
  for (const [what, variables, key, message] of contradictory) {
    it(`are found in ${what}`, () => {
      const environment = Object.fromEntries(
        Object.entries(variables).map(([name, text]) => [
          `BANYANDB_EBPF_${name.startsWith("HTTP_") ? "" : "BANYANDB_"}${name}`,
          text,
        ]),
      );
      const problems = problemsOf({ ...input("", environment), ...files({ pw: { text: "pw" } }) });
      expect(problems.find((problem) => problem.key === key)?.message).to.match(message);
    });
  }

  const unsafe: readonly [string, Partial<GuardedFile>, RegExp | undefined][] = [
    ["that others may write", { mode: 0o646 }, /^others may write it \(mode 0646\): chmod o-w$/],
    ["that somebody else owns", { ownerId: 1001 }, /^owned by user 1001, who is neither root nor/],
    ["of this user, that everybody may read", { ownerId: 1000, mode: 0o644 }, undefined],
    [
      "with a secret, that everybody may read",
      { text: SECRET, mode: 0o644 },
      /^it holds a secret, .*chmod 600$/,
    ],
    ["with a secret, for root alone", { text: SECRET, mode: 0o600 }, undefined],
  ];
  for (const [what, facts, message] of unsafe) {
    it(`${message ? "refuse" : "take"} a file ${what}`, () => {
      const problems = problemsOf({ ...input(""), ...files({ "sidecar.yaml": facts }) });
      if (!message) expect(problems).to.deep.equal([]);
      else {
        expect(problems).to.have.length(1);
        expect(problems[0]?.source).to.equal("file sidecar.yaml");
        expect(problems[0]?.message).to.match(message);
      }
    });
  }

  it("do not include a contradiction with a value that is wrong by itself", () => {
    const flags = [set("banyandb.segment_days", "8"), set("banyandb.ttl_days", "few")];
    expect(problemsOf(input("", {}, flags)).map(({ key }) => key)).to.deep.equal(["banyandb.ttl_days"]);
  });

  it("of the YAML itself name the line", () => {
    const problems = problemsOf(input("interval: 1s\ninterval: 2s\n"));
    expect(problems).to.deep.equal([
      { key: undefined, source: "file sidecar.yaml:2", message: "not valid YAML: Map keys must be unique" },
    ]);
  });

  const secrets: readonly [string, ConfigInput][] = [
    ["an alias", input("banyandb:\n  password: *hunter2\n")],
    ["a broken quotation", input('banyandb:\n  password: "hunter2\n')],
    ["a bad escape", input('banyandb:\n  password: "\\hunter2"\n')],
    ["a tag on a line of its own", input("banyandb:\n  password:\n    !hunter2 x\n")],
    ["a list", input("banyandb: { username: me, password: [hunter2] }\n")],
    ["a value that is refused", input("", { BANYANDB_EBPF_BANYANDB_PASSWORD: "hunter2\n" })],
    ["a flag", input("", {}, [set("banyandb.password", "hunter2")])],
    ["a password without user", input("banyandb: { password: hunter2 }\n")],
  ];
  for (const [what, given] of secrets) {
    it(`never show a secret, here in ${what}`, () => {
      const problems = problemsOf(given);
      expect(problems).to.have.length.of.at.least(1);
      expect(new ConfigError(problems).message).to.not.contain("hunter");
    });
  }
});

describe("the list of targets", () => {
  const problemsIn = (text: string) =>
    problemsOf(input(text)).map(({ key, message }) => `${key ?? ""}: ${message}`);

  it("gives each its selector and identity, the rest of which comes from `node`", () => {
    const text = [
      "node: { cluster: prod, role: data }",
      "targets:",
      "  - cgroup: /system.slice/hot.service",
      "    node: { id: hot, type: hot }",
      "  - { name: banyand, node: { id: '{hostname}:1' } }",
    ].join("\n");
    const { config } = loadConfig(input(text));
    expect(config.targets.map(({ select }) => select)).to.deep.equal([
      { name: "", command: undefined, cgroup: "/system.slice/hot.service", pid: undefined },
      { name: "banyand", command: undefined, cgroup: undefined, pid: undefined },
    ]);
    expect(config.targets.map(({ node }) => node)).to.deep.equal([
      { id: "hot", cluster: "prod", role: "data", type: "hot" },
      { id: "{hostname}:1", cluster: "prod", role: "data", type: "n/a" },
    ]);
    expect(config.node.id).to.equal("hot");
  });

  it("names the host of the sidecar for its own rows where the first is a template", () => {
    const { config } = loadConfig(input("node: { id: '{hostname}:1' }"));
    expect([config.node.id, config.targets[0]?.node.id]).to.deep.equal(["node-7:1", "{hostname}:1"]);
  });

  it("refuses two of one node id or one selector, none, too many, unknown keys, and target.* beside it", () => {
    expect(problemsIn("targets: [{ pid: 1 }, { pid: 2 }]")).to.deep.equal([
      'targets[1].node.id: "node-7:17912" is that of targets[0] too',
    ]);
    expect(problemsIn("targets: [{ pid: 1, node: { id: a } }, { pid: 1, node: { id: b } }]")).to.deep.equal([
      "targets[1]: selects the same processes as targets[0]",
    ]);
    expect(problemsIn("targets: [{ node: { id: a } }]")).to.deep.equal([
      "targets[0]: needs one of name, command, cgroup and pid",
    ]);
    const nine = Array.from({ length: 9 }, (_, i) => `{ pid: ${i + 1}, node: { id: n${i} } }`).join(", ");
    expect(problemsIn(`targets: [${nine}]`)).to.deep.equal([
      "targets: 9 targets; at most 8 can be counted apart",
    ]);
    const [unknown, bad] = problemsIn("targets: [{ nmae: x, cgroup: relative, node: { id: a } }]");
    expect(unknown).to.match(
      /^targets\[0\]\.nmae: unknown key; known here: name, command, cgroup, pid, node$/,
    );
    expect(bad).to.match(/^targets\[0\]\.cgroup: "relative" is not allowed/);
    expect(problemsIn("target: { name: x }\ntargets: [{ pid: 1 }]")).to.deep.equal([
      "target.name: set beside the list targets; one of them",
    ]);
  });
});
