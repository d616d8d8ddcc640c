import { expect } from "chai";
import type { WatchedTarget } from "../../../src/config/config.js";
import { parseCountedCgroup, selectedCgroup } from "../../../src/kernel/cgroup-paths.js";
import { createExecPlanner, type IdentifiedTarget } from "../../../src/kernel/exec-entries.js";
import { createIdentities } from "../../../src/kernel/identities.js";

const target = (select: Partial<WatchedTarget["select"]>, id = "n"): WatchedTarget => ({
  select: { name: "", command: undefined, cgroup: undefined, pid: undefined, ...select },
  node: { id, cluster: "c", role: "r", type: "t" },
});
const UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";

/** A process of target 0 by the name banyand. */
function running(identity: number, cgroup: bigint, path: string, more: Partial<IdentifiedTarget> = {}) {
  const task = {
    pid: Number(cgroup),
    tgid: Number(cgroup),
    startTimeNs: 1n,
    comm: "banyand",
    cgroup,
    parentCgroup: cgroup + 1000n,
    hostName: "h",
    counted: false,
  };
  const who = { task, selector: 0, identity, executable: "banyand", cgroupPath: path, command: "" };
  return { ...who, ...more };
}

function planner(targets: readonly WatchedTarget[], ids: Readonly<Record<string, bigint>> = {}, max = 8) {
  const identities = createIdentities(targets, 8);
  return createExecPlanner(
    targets,
    (path) => ids[path],
    (i) => identities.numberOf(i, ""),
    max,
  );
}

describe("who is counted from the execve on", () => {
  it("is a name, wherever it runs, that only one target has", () => {
    const two = [target({ name: "banyand" }, "a"), target({ name: "other-server-long" }, "b")];
    expect(planner(two).plan([])).to.deep.equal([
      { name: "banyand", cgroup: 0n, identity: 0 },
      { name: "other-server-lo", cgroup: 0n, identity: 1 },
    ]);
  });

  it("is nobody by a command line or a pid, and no name that a command line might mean too", () => {
    const targets = [
      target({ command: "data" }, "a"),
      target({ pid: 7 }, "b"),
      target({ name: "banyand" }, "c"),
    ];
    expect(planner(targets).plan([])).to.deep.equal([]);
    expect(planner(targets).plan([running(0, 5n, "/u/a")])).to.deep.equal([]);
  });

  it("is anybody in the cgroup of a target, also one that is still empty", () => {
    const plan = planner([target({ cgroup: "/u/a" }, "a"), target({ cgroup: "/u/b" }, "b")], {
      "/u/a": 5n,
      "/u/b": 6n,
    });
    expect(plan.plan([])).to.deep.equal([
      { name: "", cgroup: 5n, identity: 0 },
      { name: "", cgroup: 6n, identity: 1 },
    ]);
  });

  it("is the name in the pod where each pod has an identity of its own, also when the pod's process is gone", () => {
    const plan = planner([target({ name: "banyand" }, "{hostname}")]);
    const pod = (identity: number, cgroup: bigint) =>
      running(identity, cgroup, `/kubepods/burstable/pod${UID}/c${cgroup}`);
    expect(plan.plan([])).to.deep.equal([]);
    const both = [
      { name: "banyand", cgroup: 1005n, identity: 0 },
      { name: "banyand", cgroup: 1006n, identity: 1 },
    ];
    expect(plan.plan([pod(0, 5n), pod(1, 6n)])).to.deep.equal(both);
    expect(plan.plan([])).to.deep.equal(both);
  });

  it("is nobody in a cgroup that holds two identities, and the deeper of two cgroups comes first", () => {
    const plan = planner([target({ name: "banyand" }, "{hostname}")]);
    expect(plan.plan([running(0, 5n, "/shared"), running(1, 5n, "/shared")])).to.deep.equal([]);
    const nested = planner([target({ name: "banyand" }, "{hostname}")]);
    const entries = nested.plan([running(0, 5n, "/a"), running(1, 6n, "/a/b")]);
    expect(entries.map(({ cgroup }) => cgroup)).to.deep.equal([6n, 5n]);
  });
});

describe("identities", () => {
  it("are those of the configuration first, then those of host names, and no more than there is room for", () => {
    const identities = createIdentities([target({}, "a"), target({}, "{hostname}:1")], 3);
    expect(identities.known().map(({ id }) => id)).to.deep.equal(["a"]);
    expect(["x", "y", "x", "z", ""].map((name) => identities.numberOf(1, name))).to.deep.equal([
      1,
      2,
      1,
      undefined,
      undefined,
    ]);
    expect(identities.refused()).to.deep.equal(["z:1"]);
    expect(identities.numberOf(0, "anything")).to.equal(0);
  });
});

describe("paths of cgroups", () => {
  it("are those of the memory controller's hierarchy, without what is above the reader's own root", () => {
    expect(parseCountedCgroup("4:cpu,memory:/a\n1:name=systemd:/s\n0::/u\n")).to.equal("/a");
    expect(parseCountedCgroup("0::/../../pod1/c\n")).to.equal("/pod1/c");
    expect(parseCountedCgroup("3:memoryless:/x\n")).to.equal("");
  });

  it("are selected with all that is below, by whole names, * being a part of one", () => {
    expect(selectedCgroup("/a/b", "/a/b/c")).to.equal("/a/b");
    expect(selectedCgroup("/a/b", "/a/bc")).to.equal(undefined);
    expect(selectedCgroup("/a/*.slice", "/a/x.slice/y")).to.equal("/a/x.slice");
    expect(selectedCgroup("/a/*", "/b/a/x")).to.equal(undefined);
  });
});
