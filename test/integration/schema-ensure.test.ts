import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import {
  compareSchema,
  ensureSchema,
  serverVersion,
  type SchemaRequest,
} from "../../src/banyandb/schema-ensure.js";
import { openTransport, type Transport } from "../../src/banyandb/transport.js";
import { MetadataSchema } from "../../src/gen/banyandb/common/v1/common_pb.js";
import { MeasureRegistryService, type Measure } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { GroupRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { present } from "../support/present.js";
import { CACHE, IDENTITY, PART, SCHEMA } from "../support/ticks.js";

const CALL = { deadlineMs: 5000 };
/** CACHE before its last two fields. */
const OLDER = { ...CACHE, fields: CACHE.fields.slice(0, 2) };

describe("schema", function () {
  this.timeout(60_000);

  let server: BanyandbServer;
  let transport: Transport;
  let request: SchemaRequest;
  let groups = 0;

  before(async () => {
    server = await startBanyandbServer();
    transport = openTransport({ endpoints: [server.address], username: undefined, password: undefined });
  });
  after(async () => {
    transport.close();
    await server.close();
  });
  beforeEach(() => {
    request = {
      transport,
      config: {
        endpoints: [server.address],
        group: `schema_${process.pid}_${groups++}`,
        ttlDays: 3,
        segmentDays: 1,
        shards: 2,
        username: undefined,
        password: undefined,
      },
      schema: SCHEMA,
    };
  });

  async function measureOf(name: string): Promise<Measure> {
    const metadata = create(MetadataSchema, { group: request.config.group, name });
    const { measure } = await transport.call(MeasureRegistryService.method.get, { metadata }, CALL);
    if (!measure) throw new Error(`measure ${name} is missing`);
    return measure;
  }

  it("creates group and measures as configured, and learns their revisions", async () => {
    expect(await compareSchema(request)).to.deep.equal({
      state: "missing",
      diff: [`group ${request.config.group} is missing`],
      notes: [],
    });
    const ensured = await ensureSchema(request, IDENTITY);
    if (ensured.state !== "ready") throw new Error("a new schema conflicts");
    expect(ensured.changes).to.have.length(3);
    for (const spec of [CACHE, PART]) {
      const { metadata } = await measureOf(spec.name);
      expect(ensured.mappings.get(spec)?.modRevision).to.equal(metadata?.modRevision);
      expect((metadata?.modRevision ?? 0n) > 0n).to.equal(true);
    }
    const { group } = await transport.call(
      GroupRegistryService.method.get,
      { group: request.config.group },
      CALL,
    );
    expect(group?.resourceOpts?.shardNum).to.equal(2);
    expect(group?.resourceOpts?.ttl?.num).to.equal(3);
    expect(await compareSchema(request)).to.deep.equal({ state: "equal", diff: [], notes: [] });
  });

  it("changes nothing, not even a revision, where all is there", async () => {
    await ensureSchema(request, IDENTITY);
    const before = (await measureOf("cache")).metadata?.modRevision;
    const again = await ensureSchema(request, IDENTITY);
    expect(again).to.deep.include({ state: "ready", changes: [] });
    expect((await measureOf("cache")).metadata?.modRevision).to.equal(before);
  });

  it("adds missing fields behind those that are there, with a new revision", async () => {
    await ensureSchema({ ...request, schema: { ...SCHEMA, measures: [OLDER] } }, IDENTITY);
    const before = (await measureOf("cache")).metadata?.modRevision ?? 0n;
    expect(await compareSchema({ ...request, schema: { ...SCHEMA, measures: [CACHE] } })).to.deep.equal({
      state: "additive",
      diff: [
        "measure cache: field hit_rate_percent is missing",
        "measure cache: field interval_ms is missing",
      ],
      notes: [],
    });
    const ensured = await ensureSchema(request, IDENTITY);
    const measure = await measureOf("cache");
    expect(measure.fields.map(({ name }) => name)).to.deep.equal(CACHE.fields.map(({ name }) => name));
    expect((measure.metadata?.modRevision ?? 0n) > before).to.equal(true);
    expect(ensured.state === "ready" && ensured.mappings.get(CACHE)?.modRevision).to.equal(
      measure.metadata?.modRevision,
    );
  });

  it("uses a group that another configuration made, and only says so", async () => {
    await ensureSchema(request, IDENTITY);
    const config = { ...request.config, shards: 1, ttlDays: 30 };
    const ensured = await ensureSchema({ ...request, config }, IDENTITY);
    expect(ensured.state === "ready" && ensured.notes).to.have.length(2);
    const { group } = await transport.call(GroupRegistryService.method.get, { group: config.group }, CALL);
    expect(group?.resourceOpts?.ttl?.num).to.equal(3);
  });

  it("lets several writers begin at once", async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => ensureSchema(request, IDENTITY)));
    expect(all.map(({ state }) => state)).to.deep.equal(Array(5).fill("ready"));
  });

  it("does not take an addition for granted that another writer undoes at once", async () => {
    await ensureSchema({ ...request, schema: { ...SCHEMA, measures: [OLDER] } }, IDENTITY);
    const measure = await measureOf("cache");
    const theirs = {
      ...measure,
      fields: [...measure.fields, { ...present(measure.fields[0]), name: "theirs" }],
    };
    const undoes: boolean[] = [];
    const undoing: Transport = {
      ...transport,
      async call(method, message, options) {
        const response = await transport.call(method, message, options);
        if (method.name === MeasureRegistryService.method.update.name)
          undoes.push(
            await transport.call(MeasureRegistryService.method.update, { measure: theirs }, CALL).then(
              () => true,
              // 0.9 refuses an update that takes fields away, so there it cannot happen.
              () => false,
            ),
          );
        return response;
      },
    };
    const outcome = await ensureSchema({ ...request, transport: undoing }, IDENTITY).then(
      () => "taken",
      (error: unknown) => String(error),
    );
    const undone = server.version !== "0.9";
    expect(undoes).to.deep.equal([undone]);
    expect(outcome).to.contain(undone ? "it was changed by another writer meanwhile" : "taken");
    expect((await ensureSchema(request, IDENTITY)).state).to.equal("ready");
    const names = (await measureOf("cache")).fields.map(({ name }) => name);
    expect(names).to.have.members([...CACHE.fields.map(({ name }) => name), ...(undone ? ["theirs"] : [])]);
  });

  it("tells the version of the server", async () => {
    expect(await serverVersion(transport)).to.equal(server.version);
  });
});
