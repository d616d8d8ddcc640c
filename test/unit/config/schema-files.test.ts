import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { builtMs, packageVersion, readSchema } from "../../../src/config/schema-files.js";
import { SchemaFileError } from "../../../src/model/measure.js";

describe("the schema files of the package", () => {
  it("are found from wherever the build is, the measures sorted by name", () => {
    const { group, measures } = readSchema();
    expect(group.identityTags[0]?.name).to.equal("node_id");
    expect(measures.map(({ name }) => name)).to.include.members(["page_cache", "sidecar"]);
    expect(measures.map(({ name }) => name)).to.deep.equal(measures.map(({ name }) => name).sort());
  });

  it("come with the version of the package", () => {
    expect(packageVersion()).to.match(/^\d+\.\d+\.\d+/);
  });

  it("are refused with their name where they are no JSON or in the wrong file", () => {
    const folder = mkdtempSync(join(tmpdir(), "schema-"));
    try {
      writeFileSync(join(folder, "reads.json"), "{");
      expect(() => readSchema(folder)).to.throw(SchemaFileError, "schema/reads.json: ");
      writeFileSync(
        join(folder, "reads.json"),
        JSON.stringify({ measure: "other", description: "d", tags: [], fields: [] }),
      );
      expect(() => readSchema(folder)).to.throw(SchemaFileError, "measure other must be in other.json");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the time of the build", () => {
  it("is what the package says, since npm gives all its files one date of long ago", () => {
    const folder = mkdtempSync(join(tmpdir(), "built-"));
    try {
      const without = builtMs(folder);
      mkdirSync(join(folder, "dist"));
      const later = without + 86_400_000;
      writeFileSync(join(folder, "dist/built.json"), JSON.stringify({ builtMs: later }));
      expect(builtMs(folder)).to.be.within(without + 1, later);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
