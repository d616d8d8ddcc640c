/** What only the embedded BanyanDB has: its life, its bounds, and its honesty about what it lacks. */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { startEmbedded } from "../../src/embedded/server.js";
import type { EmbeddedBanyandb } from "../../src/embedded/server.js";
import { BydbQLService } from "../../src/gen/banyandb/bydbql/v1/bydbql_pb.js";
import { GroupRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { SchemaBarrierService } from "../../src/gen/banyandb/schema/v1/barrier_pb.js";
import { connectBanyandb, failureOf } from "../support/banyandb-client.js";
import type { BanyandbClient } from "../support/banyandb-client.js";
import { ContractBench, int, str } from "../support/banyandb-contract.js";

describe("embedded BanyanDB", () => {
  let server: EmbeddedBanyandb;
  let client: BanyandbClient;

  async function start(options: Partial<Parameters<typeof startEmbedded>[0]> = {}): Promise<void> {
    server = await startEmbedded({ host: "127.0.0.1", port: 0, ...options });
    client = connectBanyandb(server.address);
  }
  /** Also makes the client notice that its connection is gone. */
  async function expectUnavailable(): Promise<void> {
    const failure = await failureOf(client.call(GroupRegistryService.method.list, {}, 500));
    expect(failure.code).to.equal("UNAVAILABLE");
  }
  afterEach(async () => {
    client.close();
    await server.kill();
  });

  it("says UNIMPLEMENTED to services that it does not have", async () => {
    await start();
    const bydbql = client.call(BydbQLService.method.query, { query: "SELECT 1" });
    expect((await failureOf(bydbql)).code).to.equal("UNIMPLEMENTED");
    const barrier = client.call(SchemaBarrierService.method.awaitSchemaApplied, {});
    expect((await failureOf(barrier)).code).to.equal("UNIMPLEMENTED");
  });

  it("forgets nothing that is older than the flush interval, by the clock that it was given", async () => {
    let nowMs = Date.now();
    await start({ now: () => nowMs });
    const bench = new ContractBench(client);
    await bench.createGroup(bench.group);
    const measure = await bench.createMeasure();
    await bench.write([bench.row(measure, bench.baseMs, [str("a"), int(1)], [int(1)])]);
    nowMs += 5_000;
    await server.kill();
    await expectUnavailable();
    await server.restart();
    await client.ready();
    expect(await bench.read(measure)).to.have.length(1);
    await bench.write([bench.row(measure, bench.baseMs + 1, [str("a"), int(1)], [int(2)])]);
    nowMs += 4_999;
    await server.stop();
    await expectUnavailable();
    await server.restart();
    await client.ready();
    expect(await bench.read(measure)).to.have.length(1);
  });

  it("keeps no more rows than it was told to", async () => {
    await start({ maxRows: 10 });
    const bench = new ContractBench(client);
    await bench.createGroup(bench.group);
    const measure = await bench.createMeasure();
    const rows = Array.from({ length: 25 }, (_, i) =>
      bench.row(measure, bench.baseMs + i, [str("a"), int(1)], [int(i)]),
    );
    await bench.write(rows);
    const kept = (await bench.read(measure)).map((row) => Number(row.fields["pages"]));
    expect(kept).to.deep.equal([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
  });

  it("ends and starts as often as it is told to, whatever it was doing", async () => {
    await start();
    await server.restart();
    await Promise.all([server.stop(), server.kill(), server.restart()]);
    await client.ready();
    await server.stop();
    await server.stop();
    expect((await failureOf(client.call(GroupRegistryService.method.list, {}, 500))).code).to.equal(
      "UNAVAILABLE",
    );
    await server.restart();
    await client.ready();
    expect((await client.call(GroupRegistryService.method.list, {})).group).to.deep.equal([]);
  });

  it("says why it cannot listen", async () => {
    await start();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    let code: string | undefined;
    try {
      await startEmbedded({ host: "127.0.0.1", port });
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code;
    }
    taken.close();
    expect(code).to.equal("EADDRINUSE");
  });
});
