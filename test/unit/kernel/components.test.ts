import { expect } from "chai";
import {
  catalogDirectories,
  catalogRoots,
  createComponentTable,
  kernelNames,
  kindOf,
} from "../../../src/kernel/components.js";
import { CATALOGS, FILE_KIND_NAMES } from "../../../src/kernel/banyandb-layout.js";

const pathsOf = (words: readonly string[], directory = "/") =>
  Object.fromEntries(catalogRoots(words, directory).map(({ layout, path }) => [layout.rootFlag, path]));

describe("roots of the catalogs", () => {
  it("come from the command line, with and without an equals sign, the last one first", () => {
    const paths = pathsOf([
      "banyand",
      "standalone",
      "--measure-root-path=/a",
      "--stream-root-path",
      "/b/",
      "--measure-root-path=/c",
    ]);
    expect(paths).to.include({ "--measure-root-path": "/c/measure", "--stream-root-path": "/b/stream" });
  });

  it("are BanyanDB's default where the command line names none", () => {
    expect(pathsOf(["banyand", "standalone"])["--trace-root-path"]).to.equal("/tmp/trace");
  });

  it("are relative to the working directory of the process", () => {
    expect(pathsOf(["banyand", "--measure-root-path=data"], "/srv")["--measure-root-path"]).to.equal(
      "/srv/data/measure",
    );
  });

  it("hold the directory of the catalog and one for each group", () => {
    const [measure] = CATALOGS;
    const found = measure && catalogDirectories(measure, "/d/measure", ["g1", "g2"]);
    expect(found?.map(({ path, dbGroup }) => [path, dbGroup])).to.deep.equal([
      ["/d/measure", "n/a"],
      ["/d/measure/data/g1", "g1"],
      ["/d/measure/data/g2", "g2"],
    ]);
  });
});

describe("component table", () => {
  const limits = { componentsMax: 40, fileKinds: 4, identitiesMax: 8 };

  it("gives a catalog and group the same number for ever, and names it", () => {
    const table = createComponentTable(limits, 1);
    const first = table.baseOf(0, { catalog: "measure", dbGroup: "g1" });
    const second = table.baseOf(0, { catalog: "measure", dbGroup: "g2" });
    const again = table.baseOf(0, { catalog: "measure", dbGroup: "g1" });
    expect([first, second, again]).to.deep.equal([12, 16, 12]);
    expect(table.describe(13)).to.deep.equal({ catalog: "measure", dbGroup: "g1", fileKind: "index" });
    expect(table.used()).to.equal(20);
  });

  it("calls the first unknown, one of each target, and numbers that were never given too", () => {
    const table = createComponentTable(limits, 1);
    for (const component of [0, 1, 7, 30]) expect(table.describe(component).catalog).to.equal("unknown");
    expect([0, 1, 7].map(table.identityOf)).to.deep.equal([0, 1, 7]);
  });

  it("keeps the same group of two targets apart", () => {
    const table = createComponentTable(limits, 2);
    const group = { catalog: "measure", dbGroup: "g1" };
    const [one, other] = [table.baseOf(0, group), table.baseOf(1, group)];
    expect([one, other]).to.deep.equal([16, 20]);
    expect([one, one + 3, other, other + 3].map(table.identityOf)).to.deep.equal([0, 0, 1, 1]);
    expect(table.describe(other)).to.deep.equal(table.describe(one));
  });

  it("counts under the target's `other` what no number is left for", () => {
    const table = createComponentTable(limits, 2);
    const bases = Array.from({ length: 8 }, (_, i) =>
      table.baseOf(1, { catalog: "measure", dbGroup: `g${i}` }),
    );
    expect(bases).to.deep.equal([16, 20, 24, 28, 32, 36, 12, 12]);
    expect(table.describe(12)).to.deep.equal({ catalog: "other", dbGroup: "n/a", fileKind: "data" });
    expect([8, 12].map(table.identityOf)).to.deep.equal([0, 1]);
    expect(table.used()).to.be.at.most(limits.componentsMax);
  });
});

describe("kind of a file", () => {
  const kinds: readonly [string, string][] = [
    ["seg-20261124/shard-0/0000000000000001/fv.bin", "data"],
    ["seg-20261124/shard-0/0000000000000001/primary.bin", "metadata"],
    ["seg-20261124/shard-0/0000000000000001/default.tfm", "metadata"],
    ["seg-20261124/sidx/000000000001.snp", "index"],
    ["seg-20261124/shard-0/sidx/rule/0000000000000001/meta.bin", "index"],
    ["shard-0/000000000001.seg", "index"],
    ["no-extension", "data"],
  ];
  for (const [path, kind] of kinds) {
    it(`of ${path} is ${kind}`, () => {
      expect(FILE_KIND_NAMES[kindOf(path)]).to.equal(kind);
    });
  }

  it("is told to the kernel by rules that fit its keys", () => {
    for (const { tag, text, kind } of kernelNames()) {
      expect(["f", "e", "d"]).to.include(tag);
      // NAME_BYTES of bpf/page_cache.h, less the tag and the final zero.
      expect(text.length).to.be.at.most(30);
      expect(kind).to.be.within(0, FILE_KIND_NAMES.length - 1);
    }
  });
});
