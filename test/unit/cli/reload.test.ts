import { expect } from "chai";
import { createReloader, type Reloader } from "../../../src/cli/reload.js";
import type { Config } from "../../../src/config/config.js";
import { loadConfig, type LoadedConfig } from "../../../src/config/load.js";
import { maskedConfig } from "../../../src/config/print.js";
import type { Secrets } from "../../../src/config/secrets.js";
import type { Log, LogFields } from "../../../src/model/log.js";

const NO_SECRETS: Secrets = {
  password: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  problems: [],
};

describe("reloading", () => {
  let text: string;
  let password: string;
  let secrets: Secrets;
  let applied: Config[];
  let lines: { level: string; message: string; fields: LogFields | undefined }[];
  let reloader: Reloader;

  const load = (): LoadedConfig =>
    loadConfig({
      file: { path: "sidecar.yaml", named: true },
      environment: {},
      flags: [],
      hostname: "h",
      readFile: (path) => ({ text: path === "pw" ? password : text, ownerId: 0, mode: 0o600 }),
      ownIds: [],
    });

  beforeEach(() => {
    [text, password, secrets, applied, lines] = [
      "banyandb: { username: me, password_file: pw }",
      "a",
      NO_SECRETS,
      [],
      [],
    ];
    const line =
      (level: string) =>
      (message: string, fields?: LogFields): void => {
        lines.push({ level, message, fields });
      };
    const log: Log = {
      debug: line("debug"),
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
      throttled: (cause, message, fields) => {
        line("throttled")(message, { ...fields, cause });
      },
    };
    reloader = createReloader({
      initial: load(),
      load,
      readSecrets: () => secrets,
      apply: (config) => applied.push(config),
      log,
    });
  });

  it("takes what can be changed, and says what it was", () => {
    text =
      "interval: 5s\nlog: { level: debug }\nqueue: { max_bytes: 1MiB, max_age: 2h }\n" +
      "delivery: { audit: true }\n" +
      "banyandb: { username: you, password: b, endpoints: [h:1, h:2], tls: { enabled: true, server_name: n } }";
    reloader.reload();
    const [config] = applied;
    expect(config?.intervalMs).to.equal(5000);
    expect(config?.log.level).to.equal("debug");
    expect(config?.queue).to.deep.equal({ maxBytes: 2 ** 20, maxAgeMs: 7_200_000 });
    expect(config?.delivery.audit).to.equal(true);
    expect(config?.banyandb).to.deep.include({ endpoints: ["h:1", "h:2"], username: "you", password: "b" });
    expect(config?.banyandb.tls).to.deep.equal({ caFile: undefined, ca: undefined, serverName: "n" });
    expect(lines).to.have.length(1);
    expect(lines[0]?.fields?.["changed"]).to.include.members(["interval", "log.level", "queue.max_bytes"]);
  });

  it("says of the rest that it needs a restart, each time, and keeps the old value", () => {
    text = `node: { id: other }\ninterval: 5s\n${text}`;
    for (let i = 0; i < 2; i++) reloader.reload();
    expect(applied.map(({ node, intervalMs }) => [node.id, intervalMs])).to.deep.equal([
      ["h:17912", 5000],
      ["h:17912", 5000],
    ]);
    const warned = lines.filter(({ level }) => level === "warn");
    expect(warned.map(({ fields }) => fields?.["keys"])).to.deep.equal([["node.id"], ["node.id"]]);
  });

  it("keeps the age that follows a TTL which needs a restart", () => {
    const before = load().config.queue.maxAgeMs;
    text = "banyandb: { username: me, password_file: pw, ttl_days: 30 }";
    reloader.reload();
    expect(applied[0]?.queue.maxAgeMs).to.equal(before);
  });

  it("refuses a bad one with all its problems, and keeps the old one", () => {
    text =
      "interval: soon\nqueue: { max_bytes: lots }\nbanyandb: { username: me, password: hunter2 }\nnonsense: 1";
    reloader.reload();
    expect(applied).to.deep.equal([]);
    expect(lines[0]?.level).to.equal("error");
    expect(lines[0]?.fields?.["problems"]).to.have.length(3);
    expect(JSON.stringify(lines)).to.not.contain("hunter");
  });

  it("reads a password file that was rewritten, at a reload too", () => {
    password = "b";
    reloader.reload();
    expect(applied[0]?.banyandb.password).to.equal("b");
    expect(JSON.stringify(lines)).to.not.contain("password");
  });

  it("takes secrets that have changed by themselves, once", () => {
    secrets = { ...NO_SECRETS, password: "b" };
    for (let i = 0; i < 2; i++) reloader.refresh();
    expect(applied.map(({ banyandb }) => banyandb.password)).to.deep.equal(["b"]);
  });

  it("keeps the old secrets while the new ones cannot be read", () => {
    secrets = { ...NO_SECRETS, problems: [{ key: "banyandb.password_file", message: "pw: chmod 600" }] };
    reloader.refresh();
    expect(applied).to.deep.equal([]);
    expect(lines[0]?.level).to.equal("throttled");
    expect(lines[0]?.fields?.["problems"]).to.deep.equal(["banyandb.password_file: pw: chmod 600"]);
  });

  it("shows no secret in what print-config says of it", () => {
    password = "hunter2";
    expect(maskedConfig(load())).to.contain("password_file: pw").and.not.contain("hunter");
  });
});
