import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { parse } from "yaml";
import { parseArguments } from "../../../src/cli/arguments.js";
import { COMMANDS } from "../../../src/cli/cli.js";
import { measureNamed } from "../../../src/agent-samples.js";
import { loadConfig } from "../../../src/config/load.js";
import { claimsToBeOurs, environmentName, isSettingKey, SETTING_KEYS } from "../../../src/config/schema.js";
import { readSchema } from "../../../src/config/schema-files.js";
import { storedByField } from "../../../src/demo/result.js";
import { liveHeader } from "../../../src/demo/show.js";
import { anchorsIn, codeIn, commandsIn, linksIn } from "../../support/markdown.js";
import { packageRoot } from "../../support/package-root.js";

const read = (path: string) => readFileSync(join(packageRoot, path), "utf8");

const DOCUMENTS = [
  ...readdirSync(packageRoot).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(packageRoot, "docs"), { recursive: true })
    .map((name) => join("docs", String(name)))
    .filter((name) => name.endsWith(".md")),
].sort();

const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
/** Steps of `npm test`. */
const STEPS = [...read(".ci/test.mjs").matchAll(/^ {2}"?([\w-]+)"?: \(/gm)].map(([, name = ""]) => name);

const PROGRAM =
  /(?:^|[\s/])(?:node dist\/src\/main\.js|npx banyandb-ebpf-sidecar|banyandb-ebpf-sidecar)\s+(.+)$/;

/** What is wrong with a command line; undefined where nothing is, or where it is not one of ours. */
async function problemOf(line: string): Promise<string | undefined> {
  const script = /^(?:nice )?npm run ([\w:-]+)/.exec(line)?.[1];
  if (script !== undefined && !(script in scripts)) return `there is no script ${script}`;
  const bare = /^((?:bench|test|check|generate):[\w-]+)$/.exec(line)?.[1];
  if (bare !== undefined && !(bare in scripts)) return `there is no script ${bare}`;
  const steps = /^(?:\w+=\S+ )*npm test -- (.+)$/.exec(line)?.[1]?.split(" ") ?? [];
  const unknown = steps.find((step) => !STEPS.includes(step));
  if (unknown !== undefined) return `npm test has no step ${unknown}`;
  const file = /^node (\.ci\/\S+|dist\/\S+)/.exec(line)?.[1];
  if (file !== undefined && !existsSync(join(packageRoot, file))) return `there is no ${file}`;
  const demo = /^npm start -- (.+)$/.exec(line)?.[1];
  const words = (demo === undefined ? PROGRAM.exec(line)?.[1] : `demo ${demo}`)?.split(/\s+/);
  return words && (await problemOfProgram(words));
}

/** Letters in capitals stand for a value that the reader puts in. */
async function problemOfProgram([name = "", ...args]: readonly string[]): Promise<string | undefined> {
  if (/^(--help|--version|-h|-V|[A-Z]+|[^a-z].*)$/.test(name)) return undefined;
  const command = await COMMANDS[name]?.();
  if (!command) return `there is no command ${name}`;
  if (args.includes("--help")) return undefined;
  try {
    parseArguments(args, command.options);
    return undefined;
  } catch (error) {
    return String(error);
  }
}

describe("the check of documents", () => {
  const wrong: readonly [line: string, problem: RegExp][] = [
    ["npm run fly", /no script fly/],
    ["bench:fly", /no script bench:fly/],
    ["npm test -- unit fly", /no step fly/],
    ["node .ci/fly.mjs", /no \.ci\/fly\.mjs/],
    ["npm start -- --fly", /unknown flag --fly/],
    ["node dist/src/main.js fly", /no command fly/],
    ["npx banyandb-ebpf-sidecar check --fly", /unknown flag --fly/],
  ];
  for (const [line, problem] of wrong) {
    it(`would notice \`${line}\``, async () => {
      expect(await problemOf(line)).to.match(problem);
    });
  }

  it("finds what it looks for", () => {
    const commands = DOCUMENTS.flatMap((path) => commandsIn(read(path)));
    for (const pattern of [/^npm run /, /^npm test -- /, /^npm start -- /, PROGRAM]) {
      expect(
        commands.some((line) => pattern.test(line)),
        String(pattern),
      ).to.equal(true);
    }
    expect(DOCUMENTS).to.include.members(["README.md", "docs/OPERATIONS.md", "SECURITY.md"]);
  });
});

for (const path of DOCUMENTS) {
  describe(path, () => {
    const text = read(path);

    it("links only to what exists", () => {
      const broken = linksIn(text).filter((link) => {
        if (/^[a-z]+:/.test(link)) return false;
        const [file = "", anchor] = link.split("#");
        const target = file === "" ? path : join(dirname(path), file);
        if (!existsSync(join(packageRoot, target))) return true;
        return anchor !== undefined && !anchorsIn(read(target)).includes(anchor);
      });
      expect(broken).to.deep.equal([]);
    });

    it("names only commands, flags and scripts that exist", async () => {
      const problems = await Promise.all(commandsIn(text).map(problemOf));
      expect(problems.filter((problem) => problem !== undefined)).to.deep.equal([]);
    });

    it("names only settings that exist", () => {
      const sections = [...new Set(SETTING_KEYS.map((key) => key.split(".")[0]))].join("|");
      const code = codeIn(text).map((each) => each.text);
      const keys = code.flatMap((each) =>
        [
          ...each.matchAll(
            new RegExp(`(?<![\\w/.-])(?:${sections})\\.[a-z_]+(?:\\.[a-z_]+)?(?!\\.v\\d|[\\w/])`, "g"),
          ),
        ].map(([key]) => key),
      );
      // Names of files look alike.
      const isSection = (key: string) => SETTING_KEYS.some((known) => known.startsWith(`${key}.`));
      const unknown = keys.filter(
        (key) => !isSettingKey(key) && !isSection(key) && !/\.(ts|js|yaml|json|proto)$/.test(key),
      );
      expect(unknown).to.deep.equal([]);
      const variables = [...text.matchAll(/\bBANYANDB_EBPF_\w+/g)].map(([name]) => name);
      const known = new Set(SETTING_KEYS.map(environmentName));
      expect(variables.filter((name) => claimsToBeOurs(name) && !known.has(name))).to.deep.equal([]);
    });

    it("shows only configurations that the sidecar would take", () => {
      for (const { text: yaml } of codeIn(text).filter(({ language }) => language === "yaml")) {
        const keys = Object.keys((parse(yaml) ?? {}) as object);
        if (!keys.some((key) => ["interval", "node", "target", "targets", "banyandb", "http"].includes(key)))
          continue;
        expect(() =>
          loadConfig({
            file: { path: "config.yaml", named: true },
            environment: {},
            flags: [],
            hostname: "host",
            readFile: (name) => {
              if (name === "config.yaml") return { text: yaml, ownerId: 0, mode: 0o644 };
              return { text: "secret\n", ownerId: 0, mode: 0o600 };
            },
            ownIds: [0],
          }),
        ).not.to.throw();
      }
    });
  });
}

describe("the true output in README.md", () => {
  it("has the fields and the number of counts of today", () => {
    const measure = measureNamed(readSchema(), "page_cache");
    const counts = Object.keys(storedByField(measure, {}));
    const text = read("README.md");
    expect(/Stored equals kernel in all (\d+) counts/.exec(text)?.[1]).to.equal(String(counts.length));
    const shown = [...text.matchAll(/^([a-z_]+) +\d+ +\d+$/gm)].map(([, name = ""]) => name);
    expect(shown.length).to.be.greaterThan(3);
    expect(counts).to.include.members(shown);
    expect(text).to.contain(liveHeader().trimEnd());
  });
});
