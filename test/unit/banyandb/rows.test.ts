import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { compileMapping, tagValues } from "../../../src/banyandb/rows.js";
import { wantedMeasure } from "../../../src/banyandb/schema-wanted.js";
import { FieldType, MeasureSchema, TagType } from "../../../src/gen/banyandb/database/v1/database_pb.js";
import { CACHE, IDENTITY, PART, SCHEMA } from "../../support/ticks.js";
import { present } from "../../support/present.js";

describe("row mapping", () => {
  it("follows the order of the server's measure, not ours", () => {
    const server = wantedMeasure("g", SCHEMA.group, CACHE);
    server.fields.reverse();
    const { fields } = compileMapping(CACHE, SCHEMA.group, IDENTITY, server);
    expect(fields).to.deep.equal([
      { type: "int", index: 3 },
      { type: "float", index: 2 },
      { type: "int", index: 1 },
      { type: "int", index: 0 },
    ]);
  });

  it("leaves a field and a tag that it does not know empty", () => {
    const server = wantedMeasure("g", SCHEMA.group, CACHE);
    server.fields.unshift(
      present(create(MeasureSchema, { fields: [{ name: "new", fieldType: FieldType.INT }] }).fields[0]),
    );
    server.tagFamilies[0]?.tags.push({
      ...present(server.tagFamilies[0].tags[0]),
      name: "zone",
      type: TagType.STRING,
    });
    const mapping = compileMapping(CACHE, SCHEMA.group, IDENTITY, server);
    expect(mapping.fields[0]).to.equal(null);
    expect(mapping.fields[1]).to.deep.equal({ type: "int", index: 0 });
    expect(tagValues(mapping, [])).to.deep.equal(["host-a:17912", "test", undefined]);
  });

  it("takes group and revision from the server", () => {
    const server = wantedMeasure("g", SCHEMA.group, CACHE);
    present(server.metadata).modRevision = 1_764_000_000_123_456_789n;
    const mapping = compileMapping(CACHE, SCHEMA.group, IDENTITY, server);
    expect([mapping.group, mapping.measure, mapping.modRevision]).to.deep.equal([
      "g",
      "cache",
      1_764_000_000_123_456_789n,
    ]);
  });

  it("never gives an empty tag", () => {
    const server = wantedMeasure("g", SCHEMA.group, PART);
    const mapping = compileMapping(PART, SCHEMA.group, ["host-a:17912", ""], server);
    expect(tagValues(mapping, [""])).to.deep.equal(["host-a:17912", "n/a", "n/a"]);
    expect(tagValues(mapping, [])).to.deep.equal(["host-a:17912", "n/a", "n/a"]);
  });
});
