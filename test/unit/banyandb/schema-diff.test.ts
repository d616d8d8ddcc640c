import { expect } from "chai";
import { clone } from "@bufbuild/protobuf";
import { diffGroup, diffMeasure } from "../../../src/banyandb/schema-diff.js";
import { wantedGroup, wantedMeasure } from "../../../src/banyandb/schema-wanted.js";
import { Catalog, GroupSchema } from "../../../src/gen/banyandb/common/v1/common_pb.js";
import {
  FieldType,
  MeasureSchema,
  TagType,
  type Measure,
} from "../../../src/gen/banyandb/database/v1/database_pb.js";
import { CACHE, SCHEMA } from "../../support/ticks.js";
import { present } from "../../support/present.js";

const WANTED = wantedMeasure("ebpf", SCHEMA.group, CACHE);

/** The server's measure: the wanted one, changed. */
function server(change: (measure: Measure) => unknown): Measure {
  const measure = clone(MeasureSchema, WANTED);
  present(measure.metadata).modRevision = 5n;
  change(measure);
  return measure;
}

function conflictLines(change: (measure: Measure) => unknown): readonly string[] {
  const diff = diffMeasure(WANTED, server(change));
  return diff.kind === "conflict" ? diff.lines : [];
}

describe("schema difference", () => {
  it("is none for the same measure in another revision", () => {
    expect(
      diffMeasure(
        WANTED,
        server(() => undefined),
      ).kind,
    ).to.equal("equal");
  });

  it("is none where the server has more, or another order of fields", () => {
    const diff = diffMeasure(
      WANTED,
      server(({ fields }) => {
        fields.reverse();
        fields.push({ ...present(fields[0]), name: "other" });
      }),
    );
    expect(diff.kind).to.equal("equal");
  });

  it("adds missing fields at the end and removes nothing", () => {
    const diff = diffMeasure(
      WANTED,
      server(({ fields }) => {
        fields.splice(1, 1);
        fields.push({ ...present(fields[0]), name: "other" });
      }),
    );
    expect(diff.kind === "additive" && diff.union.fields.map(({ name }) => name)).to.deep.equal([
      "pages_hit",
      "hit_rate_percent",
      "interval_ms",
      "other",
      "pages_missed",
    ]);
    expect(diff.kind === "additive" && diff.union.metadata?.modRevision).to.equal(5n);
    expect(diff.kind === "additive" && diff.lines).to.deep.equal([
      "measure cache: field pages_missed is missing",
    ]);
  });

  it("is a conflict where a field has another type", () => {
    const lines = conflictLines(({ fields }) => {
      present(fields[0]).fieldType = FieldType.STRING;
    });
    expect(lines).to.deep.equal(["measure cache: field pages_hit is of type STRING, not INT"]);
  });

  it("is a conflict where entity, tags, family, interval, sharding or mode differ", () => {
    const changes: [(measure: Measure) => unknown, string][] = [
      [
        (m) => present(m.entity).tagNames.reverse(),
        "measure cache: the entity is (cluster, node_id), not (node_id, cluster)",
      ],
      [
        (m) => (present(present(m.tagFamilies[0]).tags[1]).type = TagType.INT),
        "measure cache: tag cluster is of type INT, not STRING",
      ],
      [(m) => present(m.tagFamilies[0]).tags.pop(), "measure cache: tag cluster is missing"],
      [
        (m) => (present(m.tagFamilies[0]).name = "other"),
        'measure cache: the first tag family is "other", not "default"',
      ],
      [(m) => (m.interval = "1m"), 'measure cache: the interval is "1m", not ""'],
      [(m) => (m.indexMode = true), "measure cache: it is in index mode, which has no fields"],
    ];
    for (const [change, line] of changes) expect(conflictLines(change)).to.deep.equal([line]);
  });

  it("lists everything that differs", () => {
    const lines = conflictLines((m) => {
      m.indexMode = true;
      present(m.fields[1]).fieldType = FieldType.FLOAT;
    });
    expect(lines).to.have.length(2);
  });
});

describe("group difference", () => {
  const wanted = wantedGroup({
    endpoints: [],
    group: "ebpf",
    ttlDays: 7,
    segmentDays: 1,
    shards: 1,
    username: undefined,
    password: undefined,
  });

  it("is a conflict only for another catalog", () => {
    const other = clone(GroupSchema, wanted);
    other.catalog = Catalog.STREAM;
    expect(diffGroup(wanted, other).conflict).to.equal("group ebpf: the catalog is STREAM, not MEASURE");
    expect(diffGroup(wanted, wanted)).to.deep.equal({ conflict: undefined, notes: [] });
  });

  it("only notes what the operator has chosen otherwise", () => {
    const other = clone(GroupSchema, wanted);
    present(other.resourceOpts).shardNum = 4;
    present(present(other.resourceOpts).ttl).num = 30;
    expect(diffGroup(wanted, other)).to.deep.equal({
      conflict: undefined,
      notes: [
        "group ebpf: shards is 4, the configuration says 1",
        "group ebpf: ttl is 30 day, the configuration says 7 day",
      ],
    });
  });
});
