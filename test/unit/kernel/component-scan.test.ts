import { mkdirSync, mkdtempSync, rmSync, utimesSync } from "node:fs";
import { expect } from "chai";
import { directoriesState } from "../../../src/kernel/component-scan.js";

describe("the state of a target's directories", () => {
  let root: string;
  const state = () => directoriesState(process.pid, ["banyand", `--measure-root-path=${root}`]);
  /** As if nothing had changed there for so long. */
  const settle = (agoMs: number) => {
    const then = new Date(Date.now() - agoMs);
    for (const path of [`${root}/measure`, `${root}/measure/data`]) utimesSync(path, then, then);
  };

  beforeEach(() => {
    // Not in /tmp, which may be on an overlay.
    root = mkdtempSync("/var/tmp/banyandb-ebpf-sidecar-test-");
    mkdirSync(`${root}/measure/data/g1`, { recursive: true });
    settle(60_000);
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it("stays the same while no group comes or goes", () => {
    const before = state();
    mkdirSync(`${root}/measure/data/g1/seg-20261124`);
    expect(before).to.be.a("string");
    expect(state()).to.equal(before);
  });

  it("is unknown when a group has just come, and another one afterwards", () => {
    const before = state();
    mkdirSync(`${root}/measure/data/g2`);
    expect(state()).to.equal(undefined);
    utimesSync(`${root}/measure/data`, new Date(), new Date(Date.now() - 30_000));
    expect(state()).to.be.a("string").that.does.not.equal(before);
  });

  it("changes when a directory that was missing appears, or another one takes its place", () => {
    const before = state();
    rmSync(`${root}/measure`, { recursive: true });
    const absent = state();
    mkdirSync(`${root}/measure/data`, { recursive: true });
    // It may have the number of the one before, but it is not as old.
    settle(30_000);
    expect(new Set([before, absent, state()]).size).to.equal(3);
  });

  it("is that of no directory where the process has ended", () => {
    const running = state();
    // Above the largest number of a process (kernel: include/linux/threads.h, PID_MAX_LIMIT).
    const ended = directoriesState(4_194_305, ["banyand", `--measure-root-path=${root}`]);
    expect(ended).to.be.a("string").that.does.not.equal(running);
  });
});
