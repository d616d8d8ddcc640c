import { readFileSync } from "node:fs";
import { expect } from "chai";
import { format } from "prettier";
import { readSchema } from "../../../src/config/schema-files.js";
import { BEGIN, END, withMeasures } from "../../support/metrics-doc.js";
import { packageRoot } from "../../support/package-root.js";

const DOCUMENT = readFileSync(`${packageRoot}/docs/METRICS.md`, "utf8");
const formatted = (text: string) => format(text, { parser: "markdown", printWidth: 110 });

describe("docs/METRICS.md", function () {
  // Prettier formats wide tables, on a machine that may be busy.
  this.timeout(20_000);

  const schema = readSchema();

  it("is what schema/ gives; else `npm run generate:docs`", async () => {
    expect(await formatted(withMeasures(DOCUMENT, schema))).to.equal(DOCUMENT);
  });

  it("has every tag and field of schema/", () => {
    const named = new Set([...DOCUMENT.matchAll(/`([a-z0-9_]+)`/g)].map(([, name]) => name));
    const names = schema.measures.flatMap(({ tags, fields }) => [...tags, ...fields].map(({ name }) => name));
    expect(names.length).to.be.greaterThan(50);
    expect(names.filter((name) => !named.has(name))).to.deep.equal([]);
  });

  it("would notice a field that is renamed", async () => {
    const renamed = schema.measures.map((measure) => ({
      ...measure,
      fields: measure.fields.map((field) => ({ ...field, name: `${field.name}x` })),
    }));
    const text = await formatted(withMeasures(DOCUMENT, { ...schema, measures: renamed }));
    expect(text).to.not.equal(DOCUMENT);
  });

  it("keeps what is written by hand", () => {
    const text = withMeasures(`# head\n${BEGIN}\nwhat was here\n${END}\ntail\n`, schema);
    expect(text).to.match(/^# head\n[^]*\ntail\n$/);
    expect(text).to.not.contain("what was here");
  });
});
