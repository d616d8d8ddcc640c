import { readFileSync } from "node:fs";
import { expect } from "chai";
import { readSchema } from "../../../src/config/schema-files.js";
import { packageRoot } from "../../support/package-root.js";

/** Sections of docs/METRICS.md by their heading. */
function sections(): Map<string, string> {
  const text = readFileSync(`${packageRoot}/docs/METRICS.md`, "utf8");
  return new Map(
    text.split(/^## /m).map((section): [string, string] => {
      const end = section.indexOf("\n");
      return [section.slice(0, end), section.slice(end)];
    }),
  );
}

const quoted = (text: string) => new Set([...text.matchAll(/`([a-z_]+)`/g)].map((match) => match[1]));

describe("docs/METRICS.md", () => {
  const { measures } = readSchema();

  for (const { name, fields, tags } of measures) {
    it(`has a section on ${name} with its tags and fields`, () => {
      // The fields of a component are those of page_cache.
      const text =
        (sections().get(name) ?? "") +
        (name === "page_cache_component" ? (sections().get("page_cache") ?? "") : "");
      const missing = [...fields, ...tags].map((part) => part.name).filter((part) => !quoted(text).has(part));
      expect(missing).to.deep.equal([]);
    });
  }

  it("names no field that does not exist", () => {
    const known = new Set(
      measures.flatMap(({ fields, tags }) => [...fields, ...tags].map(({ name }) => name)),
    );
    const firstCells = measures.flatMap(({ name }) =>
      [...(sections().get(name) ?? "").matchAll(/^\| (`[^|]+) \|/gm)].flatMap((row) => [
        ...quoted(row[1] ?? ""),
      ]),
    );
    expect(firstCells.filter((name) => name === undefined || !known.has(name))).to.deep.equal([]);
  });
});
