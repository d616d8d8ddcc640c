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
  const limits = { componentsMax: 32, fileKinds: 4 };

  it("gives a catalog and group the same number for ever, and names it", () => {
    const table = createComponentTable(limits);
    const first = table.baseOf({ catalog: "measure", dbGroup: "g1" });
    const second = table.baseOf({ catalog: "measure", dbGroup: "g2" });
    expect([first, second, table.baseOf({ catalog: "measure", dbGroup: "g1" })]).to.deep.equal([8, 12, 8]);
    expect(table.describe(9)).to.deep.equal({ catalog: "measure", dbGroup: "g1", fileKind: "index" });
    expect(table.used()).to.equal(16);
  });

  it("calls 0 unknown, and numbers that were never given too", () => {
    const table = createComponentTable(limits);
    for (const component of [0, 1, 30]) expect(table.describe(component).catalog).to.equal("unknown");
  });

  it("counts under `other` what no number is left for", () => {
    const table = createComponentTable(limits);
    const bases = Array.from({ length: 9 }, (_, i) => table.baseOf({ catalog: "measure", dbGroup: `g${i}` }));
    expect(bases).to.deep.equal([8, 12, 16, 20, 24, 28, 4, 4, 4]);
    expect(table.describe(4)).to.deep.equal({ catalog: "other", dbGroup: "n/a", fileKind: "data" });
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
