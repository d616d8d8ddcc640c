import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { loadConfig } from "../../../src/config/load.js";
import { packageRoot } from "../../../src/config/schema-files.js";
import { SETTING_KEYS, settingOf } from "../../../src/config/schema.js";
import { parseConfigFile } from "../../../src/config/file.js";

const PATH = join(packageRoot(), "configs/default.yaml");
const TEXT = readFileSync(PATH, "utf8");

/** The comment lines directly above a line. */
function commentAbove(lines: readonly string[], line: number): string {
  let first = line - 1;
  while (lines[first - 1]?.trim().startsWith("#") === true) first--;
  return lines
    .slice(first, line - 1)
    .map((text) => text.trim().replace(/^# ?/, ""))
    .join("\n");
}

describe("configs/default.yaml", () => {
  it("has every option once, in the order of the declaration, and no other", () => {
    const { values, problems } = parseConfigFile(PATH, TEXT);
    expect(problems).to.deep.equal([]);
    expect([...values.keys()]).to.deep.equal(SETTING_KEYS);
  });

  it("says the default of every option", () => {
    const load = (text: string) =>
      loadConfig({
        file: { path: PATH, named: true },
        environment: {},
        flags: [],
        hostname: "h",
        readFile: () => ({ text, ownerId: 0, mode: 0o644 }),
        ownIds: [],
      });
    expect(load(TEXT).config).to.deep.equal(load("").config);
  });

  it("tells of every option what it does, what is allowed and what its absence means", () => {
    const { values } = parseConfigFile(PATH, TEXT);
    const lines = TEXT.split("\n");
    for (const key of SETTING_KEYS) {
      const line = Number(values.get(key)?.source.split(":").at(-1));
      const { doc, format, absence } = settingOf(key);
      const expected = [
        `${doc}.`,
        `Allowed: ${format.allowed}.`,
        ...(absence === undefined ? [] : [`Absent: ${absence}.`]),
      ];
      expect(commentAbove(lines, line), key).to.equal(expected.join("\n"));
    }
  });
});
