import { expect } from "chai";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import { wantedGroup, wantedMeasure } from "../../src/banyandb/schema-wanted.js";
import { readSchema } from "../../src/config/schema-files.js";
import { type EmbeddedBanyandb, startEmbedded } from "../../src/embedded/server.js";
import {
  FieldType,
  GroupRegistryService,
  MeasureRegistryService,
} from "../../src/gen/banyandb/database/v1/database_pb.js";
import { runSidecar } from "../support/sidecar.js";

const DEADLINE = { deadlineMs: 5000 };

describe("the schema command", function () {
  this.timeout(20_000);

  let server: EmbeddedBanyandb;
  let transport: Transport;

  beforeEach(async () => {
    server = await startEmbedded({ host: "127.0.0.1", port: 0 });
    transport = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
  });

  afterEach(async () => {
    transport.close();
    await server.kill();
  });

  const schema = (...args: string[]) =>
    runSidecar(["schema", ...args, "--banyandb-endpoints", server.address, "--banyandb-group", "cli"]);

  it("shows every measure that is written, and its fields, without a server", async () => {
    await server.kill();
    const { code, stdout } = await schema("show");
    expect(code).to.equal(0);
    expect(stdout).to.contain("group cli: 1 shard(s)");
    for (const { name, fields, optional } of readSchema().measures) {
      if (optional) expect(stdout).not.to.contain(name);
      else expect(stdout).to.match(new RegExp(`^measure ${name}(;|$)`, "m"));
      for (const field of optional ? [] : fields)
        expect(stdout).to.match(new RegExp(`^  ${field.name} `, "m"));
    }
  });

  it("finds the schema missing, creates it, finds it equal, and does nothing the second time", async () => {
    const before = await schema("diff");
    expect(before.code).to.equal(1);
    expect(before.stdout).to.contain("group cli is missing");
    const first = await schema("apply");
    expect(first.code).to.equal(0);
    expect(first.stdout).to.contain("measure page_cache was created");
    const after = await schema("diff");
    expect(after.code).to.equal(0);
    const second = await schema("apply");
    expect(second.code).to.equal(0);
    expect(second.stdout).to.contain("nothing to change");
  });

  it("shows the difference where a measure exists with other types, exits 1 and changes nothing", async () => {
    const { group, measures } = readSchema();
    const spec = measures.find(({ name }) => name === "page_cache");
    if (!spec) throw new Error("no measure page_cache");
    const measure = wantedMeasure("cli", group, spec);
    for (const field of measure.fields) if (field.name === "reads") field.fieldType = FieldType.STRING;
    await transport.call(
      GroupRegistryService.method.create,
      {
        group: wantedGroup({
          group: "cli",
          shards: 1,
          segmentDays: 1,
          ttlDays: 7,
          endpoints: [],
          username: undefined,
          password: undefined,
        }),
      },
      DEADLINE,
    );
    await transport.call(MeasureRegistryService.method.create, { measure }, DEADLINE);
    for (const command of ["diff", "apply"]) {
      const { code, stdout } = await schema(command);
      expect(code, command).to.equal(1);
      expect(stdout, command).to.contain("measure page_cache: field reads is of type STRING, not INT");
    }
    const metadata = { group: "cli", name: spec.name };
    const kept = await transport.call(MeasureRegistryService.method.get, { metadata }, DEADLINE);
    expect(kept.measure?.fields.find(({ name }) => name === "reads")?.fieldType).to.equal(FieldType.STRING);
  });

  it("exits 1 with the address where the server cannot be reached", async () => {
    await server.kill();
    const { code, stdout, stderr } = await schema("diff");
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: "" });
    expect(stderr).to.contain(server.address);
    expect(stderr).to.contain("UNAVAILABLE");
  });
});
