/** `run` with two targets: rows under both node ids, as a query returns them, each equal to its target's truth. */
import { rmSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { readBack } from "../../src/banyandb/read-back.js";
import { openTransport } from "../../src/banyandb/transport.js";
import { readSchema } from "../../src/config/schema-files.js";
import { startEmbedded } from "../../src/embedded/server.js";
import { makeFile, startReader } from "../support/reader.js";
import { startSidecar } from "../support/sidecar.js";

describe("`run` with two targets", function () {
  this.timeout(60_000);

  it("writes the rows of each under its own node id", async () => {
    const schema = readSchema();
    const measure = schema.measures.find(({ name }) => name === "page_cache");
    if (!measure) throw new Error("there is no page_cache");
    const fromMs = Date.now();
    const ids = ["a", "b"].map((name) => `run-targets-${name}-${process.pid}`);
    const files = [makeFile(4 << 20), makeFile(4 << 20)];
    const readers = await Promise.all(
      files.map(({ path }, i) =>
        startReader(path, { pattern: "random", bytes: 4096, ops: 300 + 200 * i, call: "pread" }),
      ),
    );
    const banyandb = await startEmbedded({ host: "127.0.0.1", port: 0 });
    const config = `${files[0]?.path ?? ""}.yaml`;
    const targets = readers.map(({ pid }, i) => ({ pid, node: { id: ids[i], cluster: `c${i}` } }));
    writeFileSync(config, JSON.stringify({ targets, interval: "200ms", http: { listen: "off" } }), {
      mode: 0o600,
    });
    const sidecar = startSidecar(["run", "--config", config, "--banyandb-endpoints", banyandb.address]);
    const transport = openTransport({
      endpoints: [banyandb.address],
      username: undefined,
      password: undefined,
    });
    try {
      await Promise.all(readers.map(({ pid }) => sidecar.seen(new RegExp(`"pid":${pid},`))));
      const truths = await Promise.all(readers.map((reader) => reader.run()));
      sidecar.signal("SIGTERM");
      const { code, stderr } = await sidecar.ended;
      expect(code, stderr).to.equal(0);
      for (const [i, id] of ids.entries()) {
        const { rows, sums } = await readBack({
          transport,
          group: "ebpf",
          groupSpec: schema.group,
          measure,
          identity: [id],
          fromMs,
          toMs: Date.now() + 1000,
        });
        expect(sums["reads"]).to.equal(truths[i]?.reads);
        expect(sums["pages_requested"]).to.equal(truths[i]?.pages_requested);
        expect(new Set(rows.map(({ tags }) => tags["cluster"]))).to.deep.equal(new Set([`c${i}`]));
      }
    } finally {
      sidecar.signal("SIGKILL");
      transport.close();
      await banyandb.kill();
      await Promise.all(readers.map((reader) => reader.end()));
      files.forEach((file) => {
        file.remove();
      });
      rmSync(config);
    }
  });
});
