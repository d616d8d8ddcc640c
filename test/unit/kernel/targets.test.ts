import { expect } from "chai";
import type { TargetConfig } from "../../../src/config/config.js";
import type { Task } from "../../../src/kernel/addon.js";
import { createResolver, isSelected, type ProcessNames } from "../../../src/kernel/targets.js";

const selector = (changes: Partial<TargetConfig> = {}): TargetConfig => ({
  name: "banyand",
  command: undefined,
  cgroup: undefined,
  pid: undefined,
  ...changes,
});
const task = (pid: number, comm = "banyand", startTimeNs = BigInt(pid)): Task => ({
  pid,
  tgid: 1000 + pid,
  startTimeNs,
  comm,
  cgroup: 0n,
  parentCgroup: 0n,
  hostName: "host",
  counted: false,
});
const names = (executable: string, ...commandLine: string[]): ProcessNames => ({
  executable,
  commandLine,
  cgroup: "/user",
});

describe("selection of a process", () => {
  const cases: readonly [string, TargetConfig, Task, ProcessNames, boolean][] = [
    ["by its executable", selector(), task(1, "x"), names("banyand", "/srv/other"), true],
    ["by its first argument", selector(), task(1, "x"), names("", "/usr/bin/banyand", "standalone"), true],
    ["by its name where the rest cannot be read", selector(), task(1), names(""), true],
    [
      "by a name longer than the kernel keeps",
      selector({ name: "banyand-server-static" }),
      task(1, "banyand-server-"),
      names(""),
      true,
    ],
    ["not by a prefix of its name", selector(), task(1, "banyand-backup"), names("banyand-backup"), false],
    ["not by a later argument", selector(), task(1, "grep"), names("grep", "grep", "banyand"), false],
    [
      "by its command line",
      selector({ command: "data --port=\\d+" }),
      task(1, "x"),
      names("x", "x", "data", "--port=1"),
      true,
    ],
    [
      "not by its name where a command is wanted",
      selector({ command: "liaison" }),
      task(1),
      names("banyand", "banyand", "data"),
      false,
    ],
    ["by its pid alone", selector({ pid: 7, command: "nothing" }), task(7, "x"), names("x"), true],
    ["not by another pid", selector({ pid: 8 }), task(7), names("banyand"), false],
  ];
  for (const [name, target, candidate, called, selected] of cases) {
    it(name, () => {
      expect(isSelected(target, candidate, called)).to.equal(selected);
    });
  }
});

describe("target resolver", () => {
  it("gives the oldest first and never itself", () => {
    const resolver = createResolver([selector()], 99, () => names("banyand", "banyand", "x"));
    const found = resolver.resolve([task(3), task(99), task(2)]);
    expect(found.map((target) => target.task.pid)).to.deep.equal([2, 3]);
    expect(found[0]?.command).to.equal("banyand x");
  });

  it("asks for the names of a process once, and again when it renames itself or its pid is used again", () => {
    const asked: string[] = [];
    const resolver = createResolver([selector()], 99, ({ pid, comm, startTimeNs }) => {
      asked.push(`${pid} ${comm} ${startTimeNs}`);
      return names(comm);
    });
    for (const tasks of [[task(1, "sh")], [task(1, "sh")], [task(1)], [task(1)], [task(1, "banyand", 50n)]]) {
      resolver.resolve(tasks);
    }
    expect(asked).to.deep.equal(["1 sh 1", "1 banyand 1", "1 banyand 50"]);
  });

  it("shows the program and its command, but no flags, which may hold secrets", () => {
    const commands = [
      ["/banyand", "standalone", "--password=x"],
      ["/banyand", "--password", "x"],
    ].map((commandLine) => createResolver([selector()], 99, () => names("banyand", ...commandLine)));
    const shown = commands.map((resolver) => resolver.resolve([task(1)])[0]?.command);
    expect(shown).to.deep.equal(["/banyand standalone", "/banyand"]);
  });

  it("forgets a process that is gone", () => {
    const resolver = createResolver([selector()], 99, () => names("banyand"));
    expect(resolver.resolve([task(1)])).to.have.length(1);
    expect(resolver.resolve([])).to.deep.equal([]);
  });
});
