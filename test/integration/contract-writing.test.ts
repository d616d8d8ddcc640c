/**
 * What the sidecar relies on in a BanyanDB, asked of whichever server test/support/banyandb-server.ts gives:
 * the embedded one must answer as the real ones do, so that it cannot drift. Here: writing.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { MeasureRegistryService } from "../../src/gen/banyandb/database/v1/database_pb.js";
import { failureOf } from "../support/banyandb-client.js";
import type { RowInit } from "../support/banyandb-contract.js";
import {
  equal,
  extraField,
  float,
  int,
  measureInit,
  nothing,
  str,
  timestamp,
  uniqueName,
} from "../support/banyandb-contract.js";
import { closeContract, openContract, type ContractSetting } from "../support/contract-setting.js";

const measures = MeasureRegistryService.method;
const SUCCEED = "STATUS_SUCCEED";

describe("BanyanDB contract: writing", function () {
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

  describe("writing", () => {
    const entity = [str("a"), int(1)];

    it("answers and stores nothing before the client half-closes, then all in order", async () => {
      const measure = await bench.createMeasure();
      const stream = client.openWrite();
      const rows = [0, 1, 2].map((i) => bench.row(measure, bench.baseMs + i, entity, [int(i)]));
      for (const row of rows) stream.send(row);
      await sleep(500);
      expect(stream.replies).to.have.length(0);
      expect(await bench.read(measure)).to.have.length(0);
      stream.end();
      expect((await stream.status).code).to.equal("OK");
      expect(stream.replies.map((reply) => reply.status)).to.deep.equal([SUCCEED, SUCCEED, SUCCEED]);
      expect(stream.replies.map((reply) => reply.messageId)).to.deep.equal(rows.map((row) => row.messageId));
      expect(await bench.read(measure)).to.have.length(3);
    });

    it("refuses a timestamp that is not a whole millisecond, at once, and goes on", async () => {
      const measure = await bench.createMeasure();
      const stream = client.openWrite();
      const bad = bench.row(measure, bench.baseMs, entity, []);
      bad.dataPoint.timestamp.nanos += 1;
      stream.send(bench.row(measure, bench.baseMs, entity, [int(1)]));
      stream.send(bad);
      for (let i = 0; i < 100 && stream.replies.length === 0; i++) await sleep(20);
      expect(stream.replies.map((reply) => reply.status)).to.deep.equal(["STATUS_INVALID_TIMESTAMP"]);
      stream.end();
      expect((await stream.status).code).to.equal("OK");
      expect(stream.replies.map((reply) => reply.status)).to.deep.equal([
        "STATUS_INVALID_TIMESTAMP",
        SUCCEED,
      ]);
    });

    it("tells by status how the revision of a row compares with the measure's", async () => {
      const measure = await bench.createMeasure();
      const { group = "", name = "", modRevision = 0n } = measure.metadata ?? {};
      const expected: [string, { group: string; name: string; modRevision?: bigint }][] = [
        [SUCCEED, { group, name }],
        [SUCCEED, { group, name, modRevision }],
        ["STATUS_EXPIRED_SCHEMA", { group, name, modRevision: modRevision - 1n }],
        [
          dialect === "main" ? "STATUS_SCHEMA_NOT_APPLIED" : "STATUS_EXPIRED_SCHEMA",
          { group, name, modRevision: modRevision + 1n },
        ],
        ["STATUS_INTERNAL_ERROR", { group, name: "none" }],
        ["STATUS_INTERNAL_ERROR", { group: uniqueName("none"), name }],
        ["STATUS_NOT_FOUND", { group, name: "none", modRevision }],
      ];
      for (const [status, metadata] of expected) {
        const row: RowInit = { ...bench.row(measure, bench.baseMs, entity, []), metadata };
        const { end, statuses } = await bench.write([row]);
        expect(
          [end.code, ...statuses],
          JSON.stringify(metadata, (_, v: unknown) => String(v)),
        ).to.deep.equal(["OK", status]);
      }
    });

    it("ends the stream at a message that breaks a rule; what came before is stored and answered", async () => {
      const measure = await bench.createMeasure();
      const good = (ms: number) => bench.row(measure, bench.baseMs + ms, entity, [int(1)]);
      const invalid: RowInit[] = [
        { ...good(0), messageId: 0n },
        { metadata: good(0).metadata, messageId: bench.messageId() },
        { ...good(0), dataPoint: { tagFamilies: [{ tags: entity }] } },
        { ...good(0), dataPoint: { timestamp: timestamp(bench.baseMs) } },
      ];
      for (const [i, bad] of invalid.entries()) {
        const first = good(10 * i + 1);
        const { end, statuses, ids } = await bench.write([first, bad, good(10 * i + 2)]);
        expect(end.code, end.details).to.equal("INVALID_ARGUMENT");
        expect([statuses, ids]).to.deep.equal([[SUCCEED], [first.messageId]]);
      }
      const stored = (await bench.read(measure)).map((row) => row.timestampMs - bench.baseMs);
      expect(stored).to.deep.equal([1, 11, 21, 31]);
    });

    it("needs metadata in the first message; 0.9 in every one", async () => {
      const measure = await bench.createMeasure();
      const bare = (ms: number): RowInit => {
        const { messageId, dataPoint } = bench.row(measure, bench.baseMs + ms, entity, [int(1)]);
        return { messageId, dataPoint };
      };
      const none = await bench.write([bare(0)]);
      expect(none.end.code).to.equal(dialect === "0.9" ? "INVALID_ARGUMENT" : "UNKNOWN");
      expect(none.statuses).to.have.length(0);
      const later = await bench.write([bench.row(measure, bench.baseMs + 1, entity, []), bare(2)]);
      expect(later.end.code).to.equal(dialect === "0.9" ? "INVALID_ARGUMENT" : "OK");
      expect(later.statuses).to.have.length(dialect === "0.9" ? 1 : 2);
    });

    it("stores what it admitted of a stream that the client cancels or that runs past its deadline", async () => {
      const measure = await bench.createMeasure();
      const cancelled = client.openWrite();
      cancelled.send(bench.row(measure, bench.baseMs + 1, entity, [int(1)]));
      await sleep(500);
      cancelled.cancel();
      expect((await cancelled.status).code).to.equal("CANCELLED");
      const late = client.openWrite(700);
      late.send(bench.row(measure, bench.baseMs + 2, entity, [int(2)]));
      // Whose clock is first: the client says the one, a server up to 0.10 may say the other.
      expect((await late.status).code).to.be.oneOf(["DEADLINE_EXCEEDED", "CANCELLED"]);
      await sleep(500);
      expect((await bench.read(measure)).map((row) => row.fields["pages"])).to.deep.equal([1n, 2n]);
    });

    it("loses a whole stream with an entity tag that has no value at all", async () => {
      const measure = await bench.createMeasure();
      const { end, statuses } = await bench.write([
        bench.row(measure, bench.baseMs, entity, [int(1)]),
        bench.row(measure, bench.baseMs + 1, [str("a"), {}], [int(2)]),
      ]);
      expect([end.code, statuses]).to.deep.equal(["INTERNAL", []]);
      expect(await bench.read(measure)).to.have.length(0);
    });

    it("refuses a row that lacks an entity tag", async () => {
      const measure = await bench.createMeasure();
      const { end, statuses } = await bench.write([bench.row(measure, bench.baseMs, [str("a")], [int(1)])]);
      expect([end.code, statuses]).to.deep.equal(["OK", ["STATUS_INTERNAL_ERROR"]]);
    });

    it("acknowledges a row with more tag families than the measure, and loses it", async () => {
      const measure = await bench.createMeasure();
      const row = bench.row(measure, bench.baseMs, entity, [int(1)]);
      row.dataPoint.tagFamilies.push({ tags: [] });
      expect((await bench.write([row])).statuses).to.deep.equal([SUCCEED]);
      expect(await bench.read(measure)).to.have.length(0);
    });

    it("keeps of two points with equal entity and millisecond the higher version, of equal ones the first", async () => {
      const measure = await bench.createMeasure();
      const put = (ms: number, value: number, version: bigint): RowInit =>
        bench.row(measure, bench.baseMs + ms, entity, [int(value)], version);
      await bench.write([
        put(1, 10, 5n),
        put(1, 11, 4n),
        put(2, 20, 4n),
        put(2, 21, 5n),
        put(3, 30, 5n),
        put(3, 31, 5n),
      ]);
      // Equal versions in two batches are not asked for: a real server may turn to the other when it merges.
      await bench.write([put(1, 12, 4n), put(2, 22, 6n), put(4, 40, -1n), put(4, 41, -2n)]);
      const rows = await bench.read(measure);
      expect(rows.map((row) => [row.fields["pages"], row.version])).to.deep.equal([
        [10n, 5n],
        [22n, 6n],
        [30n, 5n],
        [40n, -1n],
      ]);
    });

    it("takes the message id for version 0", async () => {
      const measure = await bench.createMeasure();
      const row = {
        ...bench.row(measure, bench.baseMs, entity, [int(1)], 0n),
        messageId: 1_795_511_617_478_000_123n,
      };
      await bench.write([row]);
      expect((await bench.read(measure)).map(({ version }) => version)).to.deep.equal([row.messageId]);
    });

    it("goes by position: missing values and wrong types become null, surplus ones are dropped", async () => {
      const measure = await bench.createMeasure();
      const { end, statuses } = await bench.write([
        bench.row(
          measure,
          bench.baseMs + 1,
          [...entity, str("n"), str("x")],
          [int(1), float(2.5), str("t"), int(9)],
        ),
        bench.row(measure, bench.baseMs + 2, entity, [int(1)]),
        bench.row(measure, bench.baseMs + 3, [...entity, int(7)], [float(1), int(2), int(3)]),
        bench.row(measure, bench.baseMs + 4, [...entity, nothing], [nothing, nothing, nothing]),
      ]);
      expect([end.code, ...statuses]).to.deep.equal(["OK", SUCCEED, SUCCEED, SUCCEED, SUCCEED]);
      const tags = { node: "a", cpu: 1n };
      // An absent text field reads back as "", other types as null.
      const nulls = { pages: null, percent: null, text: "" };
      expect((await bench.read(measure)).map((row) => [row.tags, row.fields])).to.deep.equal([
        [
          { ...tags, note: "n" },
          { pages: 1n, percent: 2.5, text: "t" },
        ],
        [
          { ...tags, note: null },
          { pages: 1n, percent: null, text: "" },
        ],
        [{ ...tags, note: null }, nulls],
        [{ ...tags, note: null }, nulls],
      ]);
    });

    it("gives back 64-bit numbers, rounded percentages and odd texts exactly", async () => {
      const measure = await bench.createMeasure();
      const values: [bigint, number, string][] = [
        [9_007_199_254_740_993n, 12.345, "a|b\\c"],
        [-(2n ** 63n), 99.999, "ü✓"],
        [2n ** 63n - 1n, 0.001, "'\""],
      ];
      await bench.write(
        values.map(([pages, percent, text], i) =>
          bench.row(
            measure,
            bench.baseMs + i,
            [str(text), int(-pages - 1n), str(text)],
            [int(pages), float(percent)],
          ),
        ),
      );
      const rows = await bench.read(measure);
      expect(rows.map((row) => [row.fields["pages"], row.fields["percent"], row.tags["note"]])).to.deep.equal(
        values,
      );
      expect(rows.map((row) => [row.tags["node"], row.tags["cpu"]])).to.deep.equal(
        values.map(([pages, , text]) => [text, -pages - 1n]),
      );
    });

    it("takes the number 5 and the text 5 in an entity tag for two series, and reads back an empty text as null", async () => {
      const measure = await bench.createMeasure();
      await bench.write([
        bench.row(measure, bench.baseMs + 1, [str("5"), int(1)], [int(1)]),
        bench.row(measure, bench.baseMs + 1, [int(5), int(1)], [int(2)]),
        bench.row(measure, bench.baseMs + 2, [str(""), int(1)], [int(3)]),
      ]);
      expect((await bench.read(measure)).map((row) => row.tags["node"])).to.have.deep.members([
        "5",
        5n,
        null,
      ]);
      const criteria = equal("node", str("5"));
      expect((await bench.read(measure, { criteria })).map((row) => row.fields["pages"])).to.deep.equal([1n]);
    });

    it("reads null in a field that was appended after the row was written", async () => {
      const measure = await bench.createMeasure();
      await bench.write([bench.row(measure, bench.baseMs + 1, entity, [int(1)])]);
      const name = measure.metadata?.name ?? "";
      const wider = measureInit(bench.group, name);
      await client.call(measures.update, {
        measure: { ...wider, fields: [...wider.fields, extraField] },
      });
      const now = await bench.untilApplied(await bench.getMeasure(name));
      const values = [int(2), float(0), str(""), int(3)];
      await bench.write([bench.row(now, bench.baseMs + 2, entity, values)]);
      expect((await bench.read(now)).map((row) => [row.fields["pages"], row.fields["extra"]])).to.deep.equal([
        [1n, null],
        [2n, 3n],
      ]);
    });

    it("hides the rows of a deleted measure until it is created again", async () => {
      const measure = await bench.createMeasure();
      const name = measure.metadata?.name ?? "";
      await bench.write([bench.row(measure, bench.baseMs, entity, [int(1)])]);
      await client.call(measures.delete, { metadata: { group: bench.group, name } });
      const unversioned: RowInit = {
        ...bench.row(measure, bench.baseMs + 1, entity, []),
        metadata: { group: bench.group, name },
      };
      let statuses: string[] = [];
      for (let i = 0; i < 100 && statuses[0] !== "STATUS_INTERNAL_ERROR"; i++) {
        await sleep(20);
        // A row that would be refused as soon as the deletion is known is the same row each time.
        ({ statuses } = await bench.write([unversioned]));
      }
      expect(statuses).to.deep.equal(["STATUS_INTERNAL_ERROR"]);
      expect((await failureOf(bench.read(measure))).code).to.equal("UNKNOWN");
      const again = await bench.createMeasure(name);
      expect((await bench.read(again)).map((row) => row.timestampMs)).to.include(bench.baseMs);
    });
  });
});
