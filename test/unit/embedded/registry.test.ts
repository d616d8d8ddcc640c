import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { expect } from "chai";
import { createRecentChanges } from "../../../src/embedded/recent-changes.js";
import { createRegistry } from "../../../src/embedded/registry.js";
import type { Registry } from "../../../src/embedded/registry.js";
import { RpcError } from "../../../src/embedded/rpc-error.js";
import { Catalog, GroupSchema } from "../../../src/gen/banyandb/common/v1/common_pb.js";
import { MeasureSchema, TagType } from "../../../src/gen/banyandb/database/v1/database_pb.js";
import { extraField, groupInit, measureInit } from "../../support/banyandb-contract.js";

const group = (ttlDays?: number) => create(GroupSchema, groupInit("g", ttlDays));
const measure = () => create(MeasureSchema, measureInit("g", "m"));
const wider = () => {
  const valid = measureInit("g", "m");
  return create(MeasureSchema, { ...valid, fields: [...valid.fields, extraField] });
};
const metadata = { $typeName: "banyandb.common.v1.Metadata", group: "g", name: "m" } as never;

function expectCode(code: status, action: () => unknown): void {
  expect(action).to.throw(RpcError).with.property("code", code);
}

describe("embedded BanyanDB: registry", () => {
  let nowMs: number;
  let changes: ReturnType<typeof createRecentChanges>;
  let registry: Registry;

  beforeEach(() => {
    nowMs = 1_795_511_617_478;
    changes = createRecentChanges(5_000, () => nowMs);
    registry = createRegistry(changes, () => nowMs);
  });

  it("gives revisions in nanoseconds that always rise, also while the clock stands or steps back", () => {
    const revisions = [registry.createGroup(group()), registry.createMeasure(measure())];
    nowMs -= 60_000;
    revisions.push(registry.updateMeasure(wider()));
    nowMs += 120_000;
    revisions.push(registry.updateGroup(group(9)));
    expect(revisions).to.deep.equal([
      1_795_511_617_478_000_000n,
      1_795_511_617_478_000_001n,
      1_795_511_617_478_000_002n,
      1_795_511_677_478_000_000n,
    ]);
  });

  it("keeps the object and its revision at an identical update, whatever revision it carries", () => {
    registry.createGroup(group());
    const revision = registry.createMeasure(measure());
    const stored = registry.findMeasure("g", "m");
    const same = {
      ...measure(),
      metadata: create(MeasureSchema, measureInit("g", "m")).metadata,
    } as typeof stored;
    if (same?.metadata) same.metadata.modRevision = 7n;
    nowMs += 1_000;
    expect(registry.updateMeasure(same)).to.equal(revision);
    expect(registry.findMeasure("g", "m")).to.equal(stored);
  });

  it("replaces the object at an update, so that holders of the old one see no change", () => {
    registry.createGroup(group());
    registry.createMeasure(measure());
    const before = registry.getMeasure(metadata);
    registry.updateMeasure(wider());
    expect(before.fields).to.have.length(3);
    expect(registry.getMeasure(metadata).fields).to.have.length(4);
    expect(registry.getMeasure(metadata).createdAt).to.deep.equal(before.createdAt);
  });

  it("is not changed through what it was given", () => {
    const given = group();
    registry.createGroup(given);
    given.catalog = Catalog.STREAM;
    expect(registry.getGroup("g").catalog).to.equal(Catalog.MEASURE);
  });

  it("forgets what was created, updated and deleted in the last seconds", () => {
    registry.createGroup(group());
    const revision = registry.createMeasure(measure());
    nowMs += 6_000;
    registry.updateMeasure(wider());
    registry.createGroup(create(GroupSchema, groupInit("young")));
    changes.undo();
    expect(registry.getMeasure(metadata).metadata?.modRevision).to.equal(revision);
    expectCode(status.NOT_FOUND, () => registry.getGroup("young"));
    registry.deleteMeasure(metadata);
    registry.deleteGroup("g");
    changes.undo();
    expect(registry.getMeasure(metadata).metadata?.modRevision).to.equal(revision);
  });

  it("gives no revision twice, also after forgetting", () => {
    const forgotten = registry.createGroup(group());
    changes.undo();
    expect(registry.createGroup(group()) > forgotten).to.equal(true);
  });

  it("deletes a group's measures with it, and no others", () => {
    registry.createGroup(group());
    registry.createMeasure(measure());
    registry.createGroup(create(GroupSchema, groupInit("other")));
    registry.createMeasure(create(MeasureSchema, measureInit("other", "m")));
    registry.deleteGroup("g");
    registry.createGroup(group());
    expect(registry.listMeasures("g")).to.deep.equal([]);
    expect(registry.listMeasures("other")).to.have.length(1);
  });

  it("says UNIMPLEMENTED to schema that it cannot imitate", () => {
    const valid = measureInit("g", "m");
    const [family] = valid.tagFamilies;
    const tagged = (type: TagType, tagNames: string[]) =>
      create(MeasureSchema, {
        ...valid,
        tagFamilies: [{ name: "default", tags: [...(family?.tags ?? []), { name: "odd", type }] }],
        entity: { tagNames },
      });
    registry.createGroup(group());
    const unimplemented = [
      tagged(TagType.TIMESTAMP, ["node"]),
      tagged(TagType.STRING_ARRAY, ["odd"]),
      tagged(TagType.STRING, ["undeclared"]),
      create(MeasureSchema, { ...valid, fields: [], indexMode: true }),
    ];
    for (const odd of unimplemented) expectCode(status.UNIMPLEMENTED, () => registry.createMeasure(odd));
    const stream = create(GroupSchema, { ...groupInit("s"), catalog: Catalog.STREAM });
    expectCode(status.UNIMPLEMENTED, () => registry.createGroup(stream));
    registry.createMeasure(tagged(TagType.STRING_ARRAY, ["node"]));
  });

  it("refuses to lose an entity tag, and lets another tag or a field go", () => {
    registry.createGroup(group());
    registry.createMeasure(measure());
    const valid = measureInit("g", "m");
    const keeping = (...names: string[]) =>
      create(MeasureSchema, {
        ...valid,
        tagFamilies: valid.tagFamilies.map((family) => ({
          ...family,
          tags: family.tags.filter((tag) => names.includes(tag.name)),
        })),
        fields: valid.fields.slice(1),
      });
    // Create would call a lost entity tag unimplemented; an update must say why it is refused.
    expect(() => registry.updateMeasure(keeping("node", "note"))).to.throw(RpcError);
    registry.updateMeasure(keeping("node", "cpu"));
    expect(registry.getMeasure(metadata).fields).to.have.length(2);
  });
});
