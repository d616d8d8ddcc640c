import { expect } from "chai";
import type { Task } from "../../../src/kernel/addon.js";
import {
  parseCgroupPath,
  parsePsi,
  parseRefaults,
  readPressureFiles,
} from "../../../src/kernel/pressure-files.js";
import { NO_BYTES, parseProcIo, trackStorage, type StorageBytes } from "../../../src/kernel/storage-bytes.js";

const PSI =
  "some avg10=0.00 avg60=0.12 avg300=0.05 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n";

describe("pressure files", () => {
  it("give the cumulative numbers", () => {
    expect([parsePsi(PSI, "some"), parsePsi(PSI, "full")]).to.deep.equal([1234n, 99n]);
    expect(parseRefaults("nr_free 1\nworkingset_refault_file 77\n")).to.equal(77n);
  });

  it("give nothing, not 0, where they are not there", () => {
    expect(readPressureFiles(() => "", "psi", "stat")).to.deep.equal({
      psiSomeUs: undefined,
      psiFullUs: undefined,
      refaults: undefined,
    });
  });

  it("name the cgroup of version 2 only", () => {
    expect(parseCgroupPath("12:memory:/a\n0::/kubepods/pod1\n")).to.equal("/kubepods/pod1");
    expect(parseCgroupPath("12:memory:/a\n")).to.equal(undefined);
  });
});

const task = (pid: number, counted = false): Task => ({
  pid,
  tgid: pid,
  startTimeNs: 1n,
  comm: "x",
  cgroup: 0n,
  parentCgroup: 0n,
  hostName: "host",
  counted,
});

describe("storage bytes", () => {
  it("are read from /proc/PID/io", () => {
    expect(
      parseProcIo("rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n"),
    ).to.deep.equal({
      read: 4096n,
      write: 8192n,
    });
    expect(parseProcIo("")).to.equal(undefined);
  });

  /** Processes and what they have moved so far. */
  function processes(moved: Record<number, StorageBytes>) {
    return (pid: number): StorageBytes | undefined => moved[pid];
  }

  it("begin at what a process had moved when it was found", () => {
    const moved: Record<number, StorageBytes> = { 1: { read: 100n, write: 10n } };
    const storage = trackStorage(processes(moved), true);
    storage.add(task(1));
    expect(storage.total(NO_BYTES)).to.deep.equal(NO_BYTES);
    moved[1] = { read: 150n, write: 10n };
    expect(storage.total(NO_BYTES)).to.deep.equal({ read: 50n, write: 0n });
  });

  it("begin at zero for a process that is counted from its execve on", () => {
    const storage = trackStorage(processes({ 1: { read: 100n, write: 0n } }), true);
    storage.add(task(1, true));
    expect(storage.total(NO_BYTES).read).to.equal(100n);
  });

  it("keep what a process moved in its last moments, which only its end tells", () => {
    const moved: Record<number, StorageBytes> = { 1: { read: 100n, write: 0n } };
    const storage = trackStorage(processes(moved), true);
    storage.add(task(1));
    storage.total(NO_BYTES);
    moved[1] = undefined as unknown as StorageBytes;
    expect(storage.total({ read: 170n, write: 0n }).read).to.equal(70n);
    moved[2] = { read: 5n, write: 0n };
    storage.add(task(2, true));
    expect(storage.total({ read: 170n, write: 0n }).read).to.equal(75n);
  });

  it("never run backwards when a process ends between two readings", () => {
    const moved: Record<number, StorageBytes> = { 1: { read: 0n, write: 0n } };
    const storage = trackStorage(processes(moved), true);
    storage.add(task(1));
    moved[1] = { read: 80n, write: 0n };
    storage.total(NO_BYTES);
    moved[1] = undefined as unknown as StorageBytes;
    expect(storage.total(NO_BYTES).read).to.equal(80n);
  });

  it("keep the last reading where no program sees the end", () => {
    const moved: Record<number, StorageBytes> = { 1: { read: 0n, write: 0n } };
    const storage = trackStorage(processes(moved), false);
    storage.add(task(1));
    moved[1] = { read: 80n, write: 0n };
    storage.total(NO_BYTES);
    moved[1] = undefined as unknown as StorageBytes;
    storage.total(NO_BYTES);
    moved[2] = { read: 7n, write: 0n };
    storage.add(task(2, true));
    expect(storage.total(NO_BYTES).read).to.equal(87n);
  });
});
