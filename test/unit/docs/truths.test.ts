import { readFileSync } from "node:fs";
import { expect } from "chai";
import { readSchema } from "../../../src/config/schema-files.js";
import { packageRoot } from "../../support/package-root.js";
import { TRUTHS } from "../../support/truths.js";

const read = (path: string) => readFileSync(`${packageRoot}/${path}`, "utf8");
const fields = readSchema().measures.flatMap((measure) =>
  measure.fields.map(({ name }) => `${measure.name}.${name}`),
);
const tested = TRUTHS.flatMap(({ measure, fields: names }) =>
  names.split(" ").map((name) => `${measure}.${name}`),
);
/** Lines of docs/METRICS.md that say why nothing else knows a field. */
const excused = [...read("docs/METRICS.md").matchAll(/^- `([a-z_]+\.[a-z0-9_]+)`: ./gm)].map(
  ([, name = ""]) => name,
);

describe("every field of every measure", () => {
  it("is held against a truth that is not ours by a test, or docs/METRICS.md says why there is none", () => {
    const known = new Set([...tested, ...excused]);
    expect(fields.filter((name) => !known.has(name))).to.deep.equal([]);
  });

  it("is there, where a test or a reason is named", () => {
    expect([...tested, ...excused].filter((name) => !fields.includes(name))).to.deep.equal([]);
    expect(excused.filter((name) => tested.includes(name))).to.deep.equal([]);
  });

  it("is named with tests that there are", () => {
    const missing = TRUTHS.filter(({ file, test }) => !read(`test/${file}.test.ts`).includes(test));
    expect(missing.map(({ file, test }) => `${file}: ${test}`)).to.deep.equal([]);
  });

  it("is made of the counter of its own name, where a test holds that counter and not the row", () => {
    // The sums, the histogram and the shares are held as rows (kernel/rows, kernel/pressure).
    const renamed = readSchema().measures.flatMap(({ name: measure, fields: all, sources }) =>
      all.flatMap((field) => {
        if (field.merge === "derive") return [];
        const made = field.sources.map((index) => sources[index]?.name).join();
        return made === field.name ? [] : [`${measure}.${field.name}`];
      }),
    );
    expect(renamed).to.have.members([
      "read_latency.reads",
      ...["page_cache", "page_cache_component"].flatMap((measure) => [
        `${measure}.pages_evicted`,
        `${measure}.pages_evicted_reclaim`,
      ]),
    ]);
  });
});
