/** A process that counts with pins, as the sidecar does, until it is killed: `pinned-probe.js PATH TGID`. */
import { loadAddon } from "../../src/kernel/addon.js";
import { testedChoice } from "./kernel.js";
import { packageRoot } from "./package-root.js";

const [path = "", tgid = ""] = process.argv.slice(2);
const addon = loadAddon(packageRoot);
const { programs, spare, useRecords } = testedChoice(addon.probeFeatures());
const probe = addon.open({ programs, spare, pins: addon.openPins(path) });
if (useRecords) probe.useRecords();
probe.keepAlive(600_000_000_000n);
if (tgid !== "") probe.setTargets([Number(tgid)]);
process.stdout.write("counting\n");
setInterval(() => undefined, 60_000);
