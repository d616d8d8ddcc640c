import { expect } from "chai";
import {
  SERIES,
  bootsOf,
  isWhole,
  newestOfEachSeries,
  parametersOf,
  suiteOf,
  wantedSeries,
  type Preemption,
} from "../../vm/kernels.js";

const cloud = (...names: string[]) => names.map((name) => `linux-${name}-cloud-amd64`);
const versions = (names: readonly string[]) => newestOfEachSeries(names).map(({ version }) => version);

describe("kernels that are served", () => {
  it("are the newest of each series, by number and not by letter", () => {
    const names = cloud(
      "image-6.12.9+deb13",
      "image-6.12.107+deb13",
      "image-6.1.0-0.deb11.52",
      "image-6.1.0-50",
    );
    expect(versions(names)).to.deep.equal(["6.1.0-50-cloud-amd64", "6.12.107+deb13-cloud-amd64"]);
  });

  it("are taken whole: one package, or image and modules where these are apart", () => {
    const names = cloud("image-6.18.5", "image-7.2.6", "binary-7.2.6", "modules-7.2.6");
    expect(newestOfEachSeries(names).map(({ packages }) => packages)).to.deep.equal([
      cloud("image-6.18.5"),
      cloud("binary-7.2.6", "modules-7.2.6"),
    ]);
  });

  it("are an older version where the modules of the newest are gone, and without any rather than none", () => {
    const split = cloud("image-7.2.7", "binary-7.2.7", "image-7.2.6", "binary-7.2.6", "modules-7.2.6");
    expect(versions(split)).to.deep.equal(["7.2.6-cloud-amd64"]);
    const halves = cloud("image-7.0.4", "binary-7.0.4", "image-7.0.12", "binary-7.0.12");
    expect(newestOfEachSeries(halves)).to.deep.equal([
      {
        series: "7.0",
        version: "7.0.12-cloud-amd64",
        packages: ["linux-binary-7.0.12-cloud-amd64"],
        hasModules: false,
      },
    ]);
  });

  it("are of the cloud flavour and signed, and no package that only depends on one", () => {
    const others = [
      "linux-image-6.12.9-amd64",
      "linux-image-6.12.9-cloud-amd64-unsigned",
      "linux-image-cloud-amd64",
    ];
    expect(versions([...others, "linux-image-6.1-cloud-amd64", "bash"])).to.deep.equal([]);
  });
});

describe("kernels for arm64", () => {
  const names = [
    "linux-image-6.12.9+deb13-cloud-arm64",
    "linux-image-6.12.8+deb13-arm64-16k",
    "linux-image-6.12.7+deb13-arm64",
  ];

  it("are those of the flavour that is asked for", () => {
    const of = (flavour: "cloud-arm64" | "arm64-16k") =>
      newestOfEachSeries(names, flavour).map(({ version }) => version);
    expect(of("cloud-arm64")).to.deep.equal(["6.12.9+deb13-cloud-arm64"]);
    expect(of("arm64-16k")).to.deep.equal(["6.12.8+deb13-arm64-16k"]);
    expect(versions(names)).to.deep.equal([]);
  });

  it("have trampolines forced since they have them, and no other preemption than they are built with", () => {
    const boots = (series: string) => bootsOf({ series, hasModules: true }, "arm64");
    expect(boots("6.1").map(({ tiers }) => tiers.includes("fentry"))).to.deep.equal([false]);
    expect(boots("6.12").map(({ tiers }) => tiers.includes("fentry"))).to.deep.equal([true]);
  });
});

describe("series of the matrix", () => {
  it("are those wanted by name, served or not, the newest two whole ones, and later ones without modules", () => {
    const whole = ["5.10.0-1", "6.18.5", "6.20.1", "7.2.1", "7.10.1"].map((version) => `image-${version}`);
    const served = newestOfEachSeries(cloud(...whole, "binary-6.19.1", "image-6.19.1"));
    expect(wantedSeries(served)).to.deep.equal([...SERIES, "6.19", "7.2", "7.10"]);
  });

  const boots = (series: string, hasModules = true) => bootsOf({ series, hasModules });

  it("are refused tier tracing below 6.12, and tried with full preemption from 5.12 on", () => {
    const first = (series: string) => boots(series).map(({ preemption, tiers }) => [preemption, tiers[0]]);
    expect(first("5.10")).to.deep.equal([["default", "none"]]);
    expect(first("6.1")).to.deep.equal([
      ["default", "none"],
      ["full", "auto"],
    ]);
    expect(first("6.12")).to.deep.equal([
      ["default", "auto"],
      ["full", "auto"],
    ]);
  });

  it("have tier fentry forced only where the kernel is not preempted", () => {
    const withFentry = ["5.10", "6.1", "6.12", "6.16", "7.3"].filter((series) =>
      boots(series).some(({ tiers }) => tiers.includes("fentry")),
    );
    expect(withFentry).to.deep.equal(["5.10", "6.1", "6.12"]);
    expect(boots("6.12")[1]?.tiers).not.to.include("fentry");
  });

  it("have the kind of tracepoints forced that the sidecar would not take by itself", () => {
    const forced = (series: string) =>
      boots(series)[0]?.tiers.filter((tier) => tier === "raw" || tier === "records");
    expect([forced("6.1"), forced("6.19"), forced("7.0")]).to.deep.equal([[], ["records"], ["raw"]]);
  });

  it("have the tiers that see no reads where there is a disk", () => {
    expect(boots("5.10")[0]?.tiers.slice(-2)).to.deep.equal(["partial", "procfs"]);
    expect(boots("7.0", false)[0]?.tiers).to.deep.equal(["auto", "raw", "kprobe"]);
  });

  const files = (series: string, { hasModules = true, whole = false } = {}) =>
    suiteOf({ series, hasModules, version: series, packages: [] }, "auto", whole)
      .split(" ")
      .map((path) => path.split("/").slice(-2).join("/"));

  it("are compared with cachestat(2) where it is, and with storage where there is a disk", () => {
    expect(files("6.1").slice(0, 2)).to.deep.equal(["guest/known-answers.test.js", "kernel/latency.test.js"]);
    expect(files("6.16")).to.include.members(["kernel/reads.test.js", "kernel/storage.test.js"]);
    expect(files("7.0", { hasModules: false })).to.deep.equal(["guest/shared-folder.test.js"]);
  });

  it("are tried with large folios where ext4 makes them", () => {
    expect(files("6.12")).not.to.include("kernel/large-folios.test.js");
    expect(files("6.16")).to.include("kernel/large-folios.test.js");
  });

  it("are held to counted + missed = truth where a forced tier reads by tracepoints that can be preempted", () => {
    const forced = (series: string) =>
      suiteOf({ series, hasModules: true, version: series, packages: [] }, "kprobe", false);
    expect(forced("7.2")).to.include("raw-losses").and.include("known-answers");
    expect(forced("6.18")).to.include("kernel/reads");
  });

  it("run all suites on the newest, as it is built", () => {
    const whole = (series: string, preemption: Preemption) =>
      isWhole(series, "7.3", { preemption, tiers: [] });
    const ran = ["6.12", "6.18", "7.3"].filter((series) => whole(series, "default"));
    expect([ran, whole("7.3", "full")]).to.deep.equal([["7.3"], false]);
    expect(files("6.12", { whole: true })[0]).to.equal("kernel/*.test.js");
  });

  it("have the debugging of slabs on from 6.19 on", () => {
    expect(parametersOf("6.18")).to.deep.equal([]);
    expect(parametersOf("6.19")).to.deep.equal(["slab_debug=F,kmalloc-*"]);
  });
});
