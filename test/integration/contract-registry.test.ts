/**
 * What the sidecar relies on in a BanyanDB, asked of whichever server test/support/banyandb-server.ts gives:
 * the embedded one must answer as the real ones do, so that it cannot drift. Here: group and measure registries.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Service as CommonService } from "../../src/gen/banyandb/common/v1/common_pb.js";
import type { GroupSchema } from "../../src/gen/banyandb/common/v1/common_pb.js";
import type { MeasureSchema, TagSpecSchema } from "../../src/gen/banyandb/database/v1/database_pb.js";
import {
  FieldType,
  GroupRegistryService,
  MeasureRegistryService,
  TagType,
} from "../../src/gen/banyandb/database/v1/database_pb.js";
import { Health, HealthCheckResponse_ServingStatus } from "../../src/gen/grpc/health/v1/health_pb.js";
import { failureOf } from "../support/banyandb-client.js";
import { extraField, groupInit, int, measureInit, str, uniqueName } from "../support/banyandb-contract.js";
import { closeContract, openContract, type ContractSetting } from "../support/contract-setting.js";

const groups = GroupRegistryService.method;
const measures = MeasureRegistryService.method;

describe("BanyanDB contract: group and measure registries", function () {
  this.timeout(90_000);

  let setting: ContractSetting;
  let client: ContractSetting["client"];
  let bench: ContractSetting["bench"];
  let dialect: ContractSetting["dialect"];

  before(async () => {
    setting = await openContract();
    ({ client, bench, dialect } = setting);
  });
  after(() => closeContract(setting));

  describe("version and health", () => {
    it("names its API version", async () => {
      const { version } = await client.call(CommonService.method.getAPIVersion, {});
      expect(version?.version).to.match(/^\d+\.\d+$/);
    });

    it("serves as a whole and knows no service by name", async () => {
      const { status } = await client.call(Health.method.check, {});
      expect(status).to.equal(HealthCheckResponse_ServingStatus.SERVING);
      expect((await failureOf(client.call(Health.method.check, { service: "x" }))).code).to.equal(
        "NOT_FOUND",
      );
    });
  });

  describe("group registry", () => {
    it("gives back a created group, with a revision", async () => {
      const group = await bench.getGroup(bench.group);
      expect(group.metadata?.name).to.equal(bench.group);
      expect(group.resourceOpts?.ttl?.num).to.equal(7);
      expect((group.metadata?.modRevision ?? 0n) > 0n).to.equal(true);
    });

    it("finds it by Exist and List, and not another", async () => {
      expect((await client.call(groups.exist, { group: bench.group })).hasGroup).to.equal(true);
      expect((await client.call(groups.exist, { group: uniqueName("none") })).hasGroup).to.equal(false);
      const names = (await client.call(groups.list, {})).group.map((group) => group.metadata?.name);
      expect(names).to.include(bench.group);
    });

    it("refuses to create it twice", async () => {
      const failure = await failureOf(client.call(groups.create, { group: groupInit(bench.group) }));
      expect(failure.code).to.equal("ALREADY_EXISTS");
    });

    it("says NOT_FOUND for a missing one to Get and Delete", async () => {
      const group = uniqueName("none");
      expect((await failureOf(client.call(groups.get, { group }))).code).to.equal("NOT_FOUND");
      expect((await failureOf(client.call(groups.delete, { group, force: true }))).code).to.equal(
        "NOT_FOUND",
      );
    });

    it("says INVALID_ARGUMENT where a field breaks its rule, UNKNOWN where a check does", async () => {
      const valid = groupInit(uniqueName("invalid"));
      const { shardNum, segmentInterval, ttl } = valid.resourceOpts;
      const invalid: [string, MessageInitShape<typeof GroupSchema>][] = [
        ["INVALID_ARGUMENT", { ...valid, resourceOpts: { segmentInterval, ttl } }],
        [
          "INVALID_ARGUMENT",
          { ...valid, resourceOpts: { shardNum, segmentInterval, ttl: { ...ttl, num: 0 } } },
        ],
        [
          "INVALID_ARGUMENT",
          { ...valid, resourceOpts: { ...valid.resourceOpts, ttl: { ...ttl, unit: 9 as never } } },
        ],
        ["INVALID_ARGUMENT", { catalog: valid.catalog, resourceOpts: valid.resourceOpts }],
        ["UNKNOWN", { metadata: valid.metadata, catalog: valid.catalog }],
        ["UNKNOWN", { ...valid, resourceOpts: { shardNum, ttl } }],
        ["UNKNOWN", { ...valid, resourceOpts: { shardNum, segmentInterval, ttl: { num: 1 } } }],
        ["UNKNOWN", { metadata: valid.metadata, resourceOpts: valid.resourceOpts }],
        ["UNKNOWN", { ...valid, metadata: {} }],
      ];
      for (const [code, group] of invalid) {
        expect((await failureOf(client.call(groups.create, { group }))).code, JSON.stringify(group)).to.equal(
          code,
        );
      }
    });

    it("raises the revision with an update that changes something", async () => {
      const name = uniqueName("contract");
      await bench.createGroup(name);
      const before = (await bench.getGroup(name)).metadata?.modRevision ?? 0n;
      await client.call(groups.update, { group: groupInit(name, 8) });
      const after = await bench.getGroup(name);
      expect(after.resourceOpts?.ttl?.num).to.equal(8);
      expect((after.metadata?.modRevision ?? 0n) > before).to.equal(true);
    });

    it("refuses to update a missing one", async () => {
      const failure = await failureOf(client.call(groups.update, { group: groupInit(uniqueName("none")) }));
      expect(failure.code).to.equal(dialect === "0.9" ? "NOT_FOUND" : "UNKNOWN");
    });

    it("deletes it with its measures, by force where it has rows", async () => {
      const name = uniqueName("contract");
      await bench.createGroup(name);
      const measure = await bench.createMeasure("m", name);
      await bench.write([bench.row(measure, bench.baseMs, [str("a"), int(1)], [int(1)])]);
      if (dialect !== "0.9") {
        const failure = await failureOf(client.call(groups.delete, { group: name }));
        expect(failure.code).to.equal("FAILED_PRECONDITION");
      }
      await client.call(groups.delete, { group: name, force: true });
      for (let i = 0; i < 100 && (await client.call(groups.exist, { group: name })).hasGroup; i++)
        await sleep(50);
      const exist = await client.call(measures.exist, { metadata: { group: name, name: "m" } });
      expect([exist.hasGroup, exist.hasMeasure]).to.deep.equal([false, false]);
    });
  });

  describe("measure registry", () => {
    const metadataOf = (name: string): { group: string; name: string } => ({ group: bench.group, name });

    it("gives back a created measure in the given order, with the revision that Create answered", async () => {
      const name = uniqueName("m");
      const { modRevision } = await client.call(measures.create, { measure: measureInit(bench.group, name) });
      const measure = await bench.getMeasure(name);
      expect(measure.metadata?.modRevision).to.equal(modRevision);
      expect(measure.tagFamilies[0]?.tags.map((tag) => tag.name)).to.deep.equal(["node", "cpu", "note"]);
      expect(measure.fields.map((field) => field.name)).to.deep.equal(["pages", "percent", "text"]);
      expect(measure.entity?.tagNames).to.deep.equal(["node", "cpu"]);
    });

    it("finds it by Exist and List, and tells a missing measure from a missing group", async () => {
      const name = (await bench.createMeasure()).metadata?.name ?? "";
      const exist = await client.call(measures.exist, { metadata: metadataOf(name) });
      expect([exist.hasGroup, exist.hasMeasure]).to.deep.equal([true, true]);
      const noMeasure = await client.call(measures.exist, { metadata: metadataOf("none") });
      expect([noMeasure.hasGroup, noMeasure.hasMeasure]).to.deep.equal([true, false]);
      const noGroup = await client.call(measures.exist, { metadata: { group: uniqueName("none"), name } });
      expect([noGroup.hasGroup, noGroup.hasMeasure]).to.deep.equal([false, false]);
      const listed = (await client.call(measures.list, { group: bench.group })).measure;
      expect(listed.map((measure) => measure.metadata?.name)).to.include(name);
    });

    it("lists nothing of a missing group and refuses an empty name", async () => {
      expect((await client.call(measures.list, { group: uniqueName("none") })).measure).to.deep.equal([]);
      expect((await failureOf(client.call(measures.list, {}))).code).to.equal("INVALID_ARGUMENT");
    });

    it("refuses to create it twice, and in a missing group", async () => {
      const name = uniqueName("m");
      const measure = measureInit(bench.group, name);
      await client.call(measures.create, { measure });
      expect((await failureOf(client.call(measures.create, { measure }))).code).to.equal("ALREADY_EXISTS");
      const homeless = measureInit(uniqueName("none"), name);
      const failure = await failureOf(client.call(measures.create, { measure: homeless }));
      expect(failure.code).to.equal("NOT_FOUND");
    });

    it("says INVALID_ARGUMENT where a field breaks its rule, UNKNOWN where a check does", async () => {
      const valid = measureInit(bench.group, uniqueName("invalid"));
      const { metadata, ...nameless } = valid;
      const { name, ...anonymous } = extraField;
      const { compressionMethod, ...uncompressed } = extraField;
      const tagged = (tag: MessageInitShape<typeof TagSpecSchema>) => ({
        ...valid,
        tagFamilies: [{ name: "default", tags: [...valid.tagFamilies.flatMap(({ tags }) => tags), tag] }],
      });
      const invalid: [string, MessageInitShape<typeof MeasureSchema>][] = [
        ["INVALID_ARGUMENT", nameless],
        ["INVALID_ARGUMENT", { ...valid, tagFamilies: [] }],
        ["INVALID_ARGUMENT", { ...valid, tagFamilies: [{ name: "default" }] }],
        ["INVALID_ARGUMENT", { ...valid, entity: {} }],
        ["INVALID_ARGUMENT", { ...valid, shardingKey: {} }],
        ["INVALID_ARGUMENT", tagged({ name: "odd", type: 99 as never })],
        ["INVALID_ARGUMENT", { ...valid, fields: [anonymous] }],
        ["INVALID_ARGUMENT", { ...valid, fields: [{ ...extraField, fieldType: 99 as never }] }],
        ["UNKNOWN", { ...valid, metadata: { group: metadata.group } }],
        ["UNKNOWN", { ...valid, metadata: { name: metadata.name } }],
        ["UNKNOWN", { ...valid, fields: [{ name, compressionMethod }] }],
        ["UNKNOWN", { ...valid, fields: [uncompressed] }],
        ["UNKNOWN", { ...valid, indexMode: true }],
        ["UNKNOWN", { ...valid, interval: "soon" }],
        ["UNKNOWN", tagged({ name: "typeless" })],
      ];
      if (dialect !== "0.9") invalid.push(["UNKNOWN", tagged({ name: "odd#", type: TagType.STRING })]);
      for (const [code, measure] of invalid) {
        const failure = await failureOf(client.call(measures.create, { measure }));
        expect(failure.code, failure.details).to.equal(code);
      }
    });

    it("says NOT_FOUND for a missing one to Get, and deletes a missing one without an error", async () => {
      const metadata = metadataOf("none");
      expect((await failureOf(client.call(measures.get, { metadata }))).code).to.equal("NOT_FOUND");
      await client.call(measures.delete, { metadata });
    });

    it("refuses to update a missing one", async () => {
      const missing = measureInit(bench.group, uniqueName("none"));
      const failure = await failureOf(client.call(measures.update, { measure: missing }));
      expect(failure.code).to.equal(dialect === "0.9" ? "NOT_FOUND" : "UNKNOWN");
      const homeless = measureInit(uniqueName("none"), "m");
      expect((await failureOf(client.call(measures.update, { measure: homeless }))).code).to.equal(
        "NOT_FOUND",
      );
    });

    it("keeps the revision of an identical update, but for 0.10", async () => {
      const measure = await bench.createMeasure();
      const { modRevision } = await client.call(measures.update, { measure });
      const now = (await bench.getMeasure(measure.metadata?.name ?? "")).metadata?.modRevision ?? 0n;
      expect(now > (measure.metadata?.modRevision ?? 0n)).to.equal(dialect === "0.10");
      expect(modRevision).to.equal(dialect === "0.9" ? 0n : now);
    });

    it("accepts an appended field, with a higher revision", async () => {
      const measure = await bench.createMeasure();
      const valid = measureInit(bench.group, measure.metadata?.name ?? "");
      await client.call(measures.update, { measure: { ...valid, fields: [...valid.fields, extraField] } });
      const now = await bench.getMeasure(valid.metadata.name);
      expect(now.fields.map((field) => field.name)).to.deep.equal(["pages", "percent", "text", "extra"]);
      expect((now.metadata?.modRevision ?? 0n) > (measure.metadata?.modRevision ?? 0n)).to.equal(true);
    });

    it("refuses another entity, interval, or type of a field, but for 0.10", async () => {
      const name = (await bench.createMeasure()).metadata?.name ?? "";
      const valid = measureInit(bench.group, name);
      const [, ...others] = valid.fields;
      const changes: MessageInitShape<typeof MeasureSchema>[] = [
        { ...valid, interval: "10s" },
        { ...valid, entity: { tagNames: ["node"] } },
        { ...valid, fields: [{ ...extraField, name: "pages", fieldType: FieldType.FLOAT }, ...others] },
      ];
      for (const measure of changes) {
        const update = client.call(measures.update, { measure });
        if (dialect === "0.10") await update;
        else {
          const failure = await failureOf(update);
          expect(failure.code).to.equal(dialect === "0.9" ? "INVALID_ARGUMENT" : "UNKNOWN");
          expect(failure.details).to.include("is different");
        }
      }
    });
  });
});
