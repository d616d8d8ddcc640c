/**
 * What the sidecar relies on in a BanyanDB, asked of whichever server test/support/banyandb-server.ts gives:
 * the embedded one must answer as the real ones do, so that it cannot drift. Here: querying.
 */
import { expect } from "chai";
import { MeasureService } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { Condition_BinaryOp, Sort } from "../../src/gen/banyandb/model/v1/model_pb.js";
import { failureOf } from "../support/banyandb-client.js";
import { both, equal, int, str, timestamp, uniqueName } from "../support/banyandb-contract.js";
import type { ContractBench } from "../support/banyandb-contract.js";
import { closeContract, openContract, type ContractSetting } from "../support/contract-setting.js";

const { query } = MeasureService.method;

describe("BanyanDB contract: querying", function () {
  this.timeout(90_000);

  let setting: ContractSetting;
  let client: ContractSetting["client"];
  let bench: ContractSetting["bench"];
  let dialect: ContractSetting["dialect"];

  before(async () => {
    setting = await openContract();
    ({ client, bench, dialect } = setting);
  });
  after(() => closeContract(setting));

  describe("querying", () => {
    async function measureWithRows(
      count: number,
    ): Promise<Awaited<ReturnType<ContractBench["createMeasure"]>>> {
      const measure = await bench.createMeasure();
      const rows = Array.from({ length: count }, (_, i) =>
        bench.row(measure, bench.baseMs + i, [str(i % 2 === 0 ? "even" : "odd"), int(i % 3)], [int(i)]),
      );
      await bench.write(rows);
      return measure;
    }
    const pages = async (...of: Parameters<ContractBench["read"]>): Promise<unknown[]> =>
      (await bench.read(...of)).map((row) => row.fields["pages"]);

    it("takes both edges of the time range as part of it", async () => {
      const measure = await measureWithRows(5);
      const timeRange = { begin: timestamp(bench.baseMs + 1), end: timestamp(bench.baseMs + 3) };
      expect(await pages(measure, { timeRange })).to.deep.equal([1n, 2n, 3n]);
    });

    it("wants a time range of whole milliseconds, a group and a name", async () => {
      const measure = await measureWithRows(1);
      const valid = bench.queryInit(measure);
      const { begin } = valid.timeRange;
      const invalid = [
        { groups: valid.groups, name: valid.name },
        { ...valid, timeRange: { begin } },
        { ...valid, timeRange: { begin, end: { ...begin, nanos: 5 } } },
        { ...valid, groups: [] },
        { ...valid, name: "" },
      ];
      for (const request of invalid) {
        expect((await failureOf(client.call(query, request))).code).to.equal("INVALID_ARGUMENT");
      }
    });

    it("gives 100 rows, the oldest, where no limit is set", async () => {
      const measure = await measureWithRows(120);
      const all = Array.from({ length: 120 }, (_, i) => BigInt(i));
      expect(await pages(measure)).to.deep.equal(all.slice(0, 100));
      expect(await pages(measure, { limit: 1000 })).to.deep.equal(all);
      expect(await pages(measure, { limit: 7, offset: 110 })).to.deep.equal(all.slice(110, 117));
    });

    it("orders by time both ways", async () => {
      const measure = await measureWithRows(6);
      const newest = { orderBy: { sort: Sort.DESC } };
      expect(await pages(measure, newest)).to.deep.equal([5n, 4n, 3n, 2n, 1n, 0n]);
      expect(await pages(measure, { ...newest, limit: 2, offset: 1 })).to.deep.equal([4n, 3n]);
      expect(await pages(measure, { orderBy: { sort: Sort.ASC }, limit: 2 })).to.deep.equal([0n, 1n]);
    });

    it("filters by entity tags, also two of them", async () => {
      const measure = await measureWithRows(12);
      expect(await pages(measure, { criteria: equal("node", str("odd")) })).to.deep.equal([
        1n,
        3n,
        5n,
        7n,
        9n,
        11n,
      ]);
      expect(await pages(measure, { criteria: equal("cpu", int(2)) })).to.deep.equal([2n, 5n, 8n, 11n]);
      const criteria = both(equal("node", str("odd")), equal("cpu", int(2)));
      expect(await pages(measure, { criteria })).to.deep.equal([5n, 11n]);
      expect(await pages(measure, { criteria: equal("node", str("none")) })).to.deep.equal([]);
    });

    it("filters by nothing else without an index rule", async () => {
      const measure = await measureWithRows(1);
      const unequal = { name: "node", op: Condition_BinaryOp.NE, value: str("a") };
      const refused = [
        equal("note", str("a")),
        equal("pages", int(1)),
        equal("none", int(1)),
        { exp: { case: "condition" as const, value: unequal } },
      ];
      for (const criteria of refused) {
        const failure = await failureOf(bench.read(measure, { criteria }));
        expect(failure.code).to.equal("UNKNOWN");
        expect(failure.details).to.include("mandatory index rule conf");
      }
      const contradiction = both(equal("node", str("a")), equal("node", str("b")));
      const failure = await failureOf(bench.read(measure, { criteria: contradiction }));
      expect([failure.code, failure.details.includes("series is required")]).to.deep.equal(["UNKNOWN", true]);
    });

    it("gives the projected tags and fields alone", async () => {
      const measure = await measureWithRows(1);
      const [row] = await bench.read(measure, {
        tagProjection: { tagFamilies: [{ name: "default", tags: ["cpu"] }] },
        fieldProjection: { names: ["pages"] },
      });
      expect([row?.tags, row?.fields]).to.deep.equal([{ cpu: 0n }, { pages: 0n }]);
      const [noFields] = await bench.read(measure, { fieldProjection: { names: [] } });
      expect(noFields?.fields).to.deep.equal({});
      const nothingAsked = { tagProjection: { tagFamilies: [] }, fieldProjection: { names: [] } };
      expect((await failureOf(bench.read(measure, nothingAsked))).code).to.equal("UNKNOWN");
    });

    it("refuses to project what is not there, but for 0.9", async () => {
      const measure = await measureWithRows(1);
      const unknown = [
        { fieldProjection: { names: ["none"] } },
        { tagProjection: { tagFamilies: [{ name: "default", tags: ["none"] }] } },
      ];
      for (const projection of unknown) {
        if (dialect === "0.9") expect(await bench.read(measure, projection)).to.have.length(1);
        else expect((await failureOf(bench.read(measure, projection))).code).to.equal("UNKNOWN");
      }
    });

    it("says UNKNOWN for a missing measure or group", async () => {
      const measure = await measureWithRows(1);
      expect((await failureOf(bench.read(measure, { name: "none" }))).code).to.equal("UNKNOWN");
      expect((await failureOf(bench.read(measure, { groups: [uniqueName("none")] }))).code).to.equal(
        "UNKNOWN",
      );
    });
  });
});
