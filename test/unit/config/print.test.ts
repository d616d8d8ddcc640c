import { expect } from "chai";
import { type LoadedConfig, loadConfig } from "../../../src/config/load.js";
import { maskedConfig } from "../../../src/config/print.js";

function load(text: string, environment: Record<string, string> = {}): LoadedConfig {
  return loadConfig({
    file: { path: "sidecar.yaml", named: true },
    environment,
    flags: [],
    hostname: "node-7",
    readFile: () => ({ text, ownerId: 0, mode: 0o600 }),
    ownIds: [],
  });
}

describe("printing the configuration", () => {
  it("masks the secret and names the source of each value", () => {
    const environment = {
      BANYANDB_EBPF_BANYANDB_USERNAME: "me",
      BANYANDB_EBPF_BANYANDB_PASSWORD: "hunter2",
    };
    const lines = maskedConfig(load("interval: 1s\n", environment)).split("\n");
    expect(lines).to.include('  password: "********" # environment BANYANDB_EBPF_BANYANDB_PASSWORD');
    expect(lines).to.include("interval: 1s # file sidecar.yaml:1");
    expect(lines).to.include("  id: node-7:17912 # default");
    expect(lines).to.include("  max_bytes: 32MiB # default");
    expect(lines).to.include("  pid: null # default");
    expect(lines.join("\n")).to.not.contain("hunter2");
  });

  it("prints a file that means the same when it is read again", () => {
    const text = [
      "interval: 1500ms",
      "node: { id: 'true', cluster: 0123, role: 'a: #b', type: \"ü\" }",
      "target: { command: '^/usr/bin/x \\[y\\]: .*$', pid: 42 }",
      "banyandb: { endpoints: [a:1, '[::1]:2'] }",
      "queue: { max_bytes: 1048577 }",
      "http: { listen: '[::]:0' }",
    ].join("\n");
    const first = load(text);
    expect(load(maskedConfig(first)).config).to.deep.equal(first.config);
  });
});
