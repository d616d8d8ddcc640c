import { expect } from "chai";
import { parseGroup, parseMeasure, SchemaFileError } from "../../../src/model/measure.js";

const count = (name: string, source: string[], merge = "sum") => ({
  name,
  type: "int",
  unit: "pages",
  merge,
  source,
  description: "d",
});
const file = (fields: readonly unknown[]) => ({ measure: "m", description: "d", tags: [], fields });

describe("schema file", () => {
  it("lists each source once, in order of first use", () => {
    const { sources, fields } = parseMeasure("m.json", file([count("all", ["a", "b"]), count("b", ["b"])]));
    expect(sources.map(({ name }) => name)).to.deep.equal(["a", "b"]);
    expect(fields.map((field) => (field.merge === "derive" ? [] : field.sources))).to.deep.equal([
      [0, 1],
      [1],
    ]);
  });

  const faults: readonly [string, unknown, string][] = [
    ["no object", [], "measure is not an object"],
    ["a field without unit", file([{ ...count("a", ["a"]), unit: "" }]), "fields[0]: unit is not"],
    ["an unknown merge rule", file([count("a", ["a"], "mean")]), "merge is mean, not sum, last or max"],
    ["two fields of one name", file([count("a", ["a"]), count("a", ["b"])]), "field a is declared twice"],
    ["two merge rules of one source", file([count("a", ["a"]), count("b", ["a"], "max")]), "two merge rules"],
    [
      "a percentage of an unknown field",
      file([
        { name: "p", type: "float", unit: "percent", description: "d", percent: { part: "x", whole: ["y"] } },
      ]),
      "percent uses y, which no earlier field is named",
    ],
  ];
  for (const [name, json, message] of faults) {
    it(`with ${name} is refused with file and place`, () => {
      expect(() => parseMeasure("m.json", json))
        .to.throw(SchemaFileError, message)
        .with.property("message")
        .that.includes("schema/m.json");
    });
  }

  it("of the group names family and identity tags", () => {
    const group = parseGroup("group.json", {
      description: "d",
      tagFamily: "default",
      identityTags: [{ name: "node_id", description: "d" }],
    });
    expect(group.identityTags.map(({ name }) => name)).to.deep.equal(["node_id"]);
  });
});
