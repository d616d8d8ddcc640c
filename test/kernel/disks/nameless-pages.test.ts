/** What a file system keeps in the page cache for itself is no page of anybody's file. */
import { expect } from "chai";
import { openTestedKernel, watched } from "../../support/kernel.js";
import { makeDisk } from "../../support/own-disk.js";
import { compiled, killPrograms } from "../../support/programs.js";
import { makeFile, startReader } from "../../support/reader.js";
import { collectRows } from "../../support/rows.js";
import { SILENT } from "../../support/silent-log.js";

const DISK_MB = 64;

describe("pages of a file system", function () {
  this.timeout(60_000);
  afterEach(killPrograms);

  it("that a target's fsync brings in, are not counted as pages that it wrote", async () => {
    const disk = makeDisk(DISK_MB);
    const kernel = openTestedKernel([watched({ command: `^${compiled("reader")} ` })], SILENT);
    try {
      const take = collectRows(kernel);
      const file = makeFile(0, disk.path);
      const reader = await startReader(file.path, { pattern: "writes", bytes: 10_000, ops: 300 });
      kernel.follow();
      take();
      const { pages_written } = await reader.run();
      const row = take().row("page_cache");
      await reader.end();
      // Pages of the new file by cachestat(2); ext4 has read its map of free blocks beside them.
      expect(row).to.include({ pages_written, pages_added: pages_written });
    } finally {
      kernel.close();
      disk.remove();
    }
  });
});
