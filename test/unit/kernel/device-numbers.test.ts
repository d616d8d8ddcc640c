import { expect } from "chai";
import {
  kernelDevice,
  kernelDeviceOfStat,
  mountOf,
  overlayLayers,
  parseMounts,
} from "../../../src/kernel/device-numbers.js";

const MOUNTINFO = [
  "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw",
  "40 22 0:35 / /var/lib/my\\040data rw - btrfs /dev/vdb rw,subvol=/@",
  "41 22 0:40 / /merged rw - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/up,workdir=/work",
  "42 22 8:1 / /var rw - xfs /dev/sda1 rw",
].join("\n");

describe("device numbers", () => {
  it("of stat are those of the kernel's events, major and minor put elsewhere", () => {
    // Measured: st_dev 0xfe00 is device 254:0, which events show as 0xfe00000.
    expect(kernelDeviceOfStat(0xfe00n)).to.equal(0xfe00000);
    // st_dev of 259:300: minor 0x12c has its low byte first, the rest above the major.
    expect(kernelDeviceOfStat(0x11032cn)).to.equal(kernelDevice(0x103, 0x12c));
  });

  it("come from the mount of the longest mount point", () => {
    const mounts = parseMounts(MOUNTINFO);
    expect(mountOf(mounts, "/var/lib/my data/x")?.type).to.equal("btrfs");
    expect(mountOf(mounts, "/var/lib/other")?.type).to.equal("xfs");
    expect(mountOf(mounts, "/variable")?.type).to.equal("ext4");
    const [root] = mounts;
    expect(root && kernelDevice(root.major, root.minor)).to.equal(0xfe00000);
  });

  it("of an overlay are those of its layers, upper first", () => {
    const mount = mountOf(parseMounts(MOUNTINFO), "/merged/measure/data");
    expect(mount && overlayLayers(mount, "/merged/measure/data")).to.deep.equal([
      "/up/measure/data",
      "/l1/measure/data",
      "/l2/measure/data",
    ]);
  });

  it("ignore lines that are no mounts", () => {
    expect(parseMounts("\nnonsense\n")).to.deep.equal([]);
  });
});
