import { expect } from "chai";
import { CONFIG_OPTIONS, type OptionSpec, parseArguments, UsageError } from "../../../src/cli/arguments.js";

const OPTIONS: readonly OptionSpec[] = [
  { name: "json", doc: "d" },
  { name: "duration", short: "d", value: "TIME", doc: "d" },
  ...CONFIG_OPTIONS,
];

describe("parsing the command line", () => {
  it("tells switches, values, settings and operands apart", () => {
    const args = [
      "show",
      "--json",
      "-d",
      "1s",
      "--interval=2s",
      "--set",
      "node.id=a=b",
      "--config",
      "x.yaml",
    ];
    const parsed = parseArguments(args, OPTIONS);
    expect([...parsed.switches]).to.deep.equal(["json"]);
    expect(Object.fromEntries(parsed.values)).to.deep.equal({ duration: "1s", config: "x.yaml" });
    expect(parsed.settings).to.deep.equal([
      { key: "interval", text: "2s", flag: "--interval" },
      { key: "node.id", text: "a=b", flag: "--set node.id" },
    ]);
    expect(parsed.operands).to.deep.equal(["show"]);
  });

  it("keeps settings in their order, because the last one counts", () => {
    const { settings } = parseArguments(["--set", "interval=1s", "--interval", "2s"], OPTIONS);
    expect(settings.map(({ text }) => text)).to.deep.equal(["1s", "2s"]);
  });

  it("takes an empty value and one that begins with a dash where they are written with =", () => {
    const { settings } = parseArguments(["--node-id=", "--set=node.cluster=-x", "--node-role=-y"], OPTIONS);
    expect(settings.map(({ text }) => text)).to.deep.equal(["", "-x", "-y"]);
  });

  it("takes what follows -- as operands", () => {
    expect(parseArguments(["--", "--json"], OPTIONS).operands).to.deep.equal(["--json"]);
  });

  it("knows the keys of the configuration only where a command takes them", () => {
    expect(() => parseArguments(["--interval", "1s"], [])).to.throw(UsageError, "unknown flag --interval");
  });

  const refused: readonly (readonly string[])[] = [
    ["--jason"],
    ["--json=yes"],
    ["-x"],
    ["--duration"],
    ["--duration", "--json"],
    ["--set", "=x"],
    ["--no-json"],
    ["--__proto__"],
  ];
  for (const args of refused) {
    it(`refuses ${args.join(" ")}`, () => {
      expect(() => parseArguments(args, OPTIONS)).to.throw(UsageError);
    });
  }
});
