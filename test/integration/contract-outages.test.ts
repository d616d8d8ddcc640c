/**
 * What the sidecar relies on in a BanyanDB, asked of whichever server test/support/banyandb-server.ts gives:
 * the embedded one must answer as the real ones do, so that it cannot drift. Here: outages.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { GroupRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { failureOf } from "../support/banyandb-client.js";
import type { RowInit } from "../support/banyandb-contract.js";
import { int, str, uniqueName } from "../support/banyandb-contract.js";
import type { ServerControls } from "../support/banyandb-server.js";
import { closeContract, openContract, type ContractSetting } from "../support/contract-setting.js";

const groups = GroupRegistryService.method;
const SUCCEED = "STATUS_SUCCEED";

describe("BanyanDB contract: outages", function () {
  this.timeout(90_000);

  let setting: ContractSetting;
  let server: ContractSetting["server"];
  let client: ContractSetting["client"];
  let bench: ContractSetting["bench"];
  let dialect: ContractSetting["dialect"];

  before(async () => {
    setting = await openContract();
    ({ server, client, bench, dialect } = setting);
  });
  after(() => closeContract(setting));

  describe("outages", () => {
    /** Runs a test on a server of our own; another one is not ours to stop. */
    function withControls(test: (controls: ServerControls) => Promise<void>): () => Promise<void> {
      return async () => {
        if (server.controls !== undefined) await test(server.controls);
        else console.log("      not done: the server at BANYANDB_ADDR is not ours to stop");
      };
    }

    async function expectRecentLost(controls: ServerControls, how: "stop" | "kill"): Promise<void> {
      const measure = await bench.createMeasure();
      const put = (value: number): Promise<unknown> =>
        bench.write([bench.row(measure, bench.baseMs + value, [str("a"), int(1)], [int(value)])]);
      await put(1);
      await sleep(server.flushMs * 1.6);
      await put(2);
      const young = uniqueName("contract");
      await bench.createGroup(young);
      expect(await bench.read(measure)).to.have.length(2);
      // Main and 0.10 hang for ever when they are stopped within milliseconds after a group was made: its
      // watcher goes on trying to make a measure in it.
      await sleep(400);
      await controls[how]();
      expect((await failureOf(client.call(groups.list, {}, 500))).code).to.be.oneOf([
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
      ]);
      await controls.restart();
      await client.ready();
      const again = await bench.untilApplied(await bench.getMeasure(measure.metadata?.name ?? ""));
      expect(again.metadata?.modRevision).to.equal(measure.metadata?.modRevision);
      expect((await bench.read(again)).map((row) => row.fields["pages"])).to.deep.equal([1n]);
      const exist = await client.call(groups.exist, { group: young });
      expect(exist.hasGroup).to.equal(dialect === "0.9");
    }

    it(
      "forgets rows and schema of the last seconds when it is killed, and nothing older",
      withControls((controls) => expectRecentLost(controls, "kill")),
    );

    it(
      "forgets them just so when it is stopped",
      withControls((controls) => expectRecentLost(controls, "stop")),
    );

    it(
      "resets running streams when it is killed, and stores nothing of them",
      withControls(async (controls) => {
        const measure = await bench.createMeasure();
        await sleep(server.flushMs * 1.6);
        const stream = client.openWrite();
        stream.send(bench.row(measure, bench.baseMs, [str("a"), int(1)], [int(1)]));
        await sleep(300);
        await controls.kill();
        expect((await stream.status).code).to.equal("UNAVAILABLE");
        await controls.restart();
        await client.ready();
        await bench.untilApplied(measure);
        expect(await bench.read(measure)).to.have.length(0);
      }),
    );

    it(
      "refuses new streams while it stops, and acknowledges a running one that ends in time",
      withControls(async (controls) => {
        const measure = await bench.createMeasure();
        await sleep(server.flushMs * 1.6);
        const put = (ms: number): RowInit =>
          bench.row(measure, bench.baseMs + ms, [str("a"), int(1)], [int(1)]);
        const running = client.openWrite();
        running.send(put(1));
        await sleep(300);
        const stopped = controls.stop();
        await sleep(700);
        const late = client.openWrite(1_000);
        late.send(put(2));
        late.end();
        expect((await late.status).code).to.be.oneOf(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);
        running.send(put(3));
        running.end();
        expect((await running.status).code).to.equal("OK");
        expect(running.replies.map((reply) => reply.status)).to.deep.equal([SUCCEED, SUCCEED]);
        await stopped;
        await controls.restart();
        await client.ready();
        await bench.untilApplied(measure);
        // Acknowledged, and lost all the same: nothing is flushed at a stop.
        expect(await bench.read(measure)).to.have.length(0);
      }),
    );

    it(
      "drops the live rows of a group when a timestamp lies beyond its TTL in the future",
      withControls(async () => {
        const dayMs = 86_400_000;
        const rowsAfter = async (futureMs: number): Promise<number> => {
          const group = uniqueName("contract");
          await bench.createGroup(group);
          const measure = await bench.createMeasure("m", group);
          const put = (ms: number): Promise<unknown> =>
            bench.write([bench.row(measure, ms, [str("a"), int(1)], [int(1)])]);
          await put(bench.baseMs);
          await put(bench.baseMs + futureMs);
          // Retention runs behind the write. Real servers must not be asked before: that makes them crash.
          await sleep(1_000);
          return (await bench.read(measure)).length;
        };
        expect(await rowsAfter(6 * dayMs)).to.equal(1);
        expect(await rowsAfter(9 * dayMs)).to.equal(0);
      }),
    );
  });
});
