/** Every query in the documents: parsed, held against schema/, and run where the server has BydbQL. */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { createDelivery } from "../../src/banyandb/delivery.js";
import { BydbQLService } from "../../src/gen/banyandb/bydbql/v1/bydbql_pb.js";
import type { DataPoint } from "../../src/gen/banyandb/measure/v1/measure_pb.js";
import { startBanyandbServer, type BanyandbServer } from "../support/banyandb-server.js";
import { connectBanyandb, failureOf, type BanyandbClient } from "../support/banyandb-client.js";
import { parseBydbql } from "../support/bydbql.js";
import { checkQuery } from "../support/bydbql-check.js";
import { packageRoot } from "../support/package-root.js";
import { sampleOf, SCHEMA, tickOf } from "../support/schema-ticks.js";
import { SILENT } from "../support/silent-log.js";
import { plainConfig } from "../support/banyandb-config.js";

/** The node that the document's queries ask for, and a second one. */
const NODES = ["data-0:17912", "data-1:17912"];
const MINUTE_MS = 60_000;
/** In every time range of the document: those up to now, and the one that asks for a time that is over. */
const AGES_MS = [MINUTE_MS, 7 * MINUTE_MS];
const DOCUMENTS = ["docs/QUERIES.md", "README.md"];

interface Example {
  readonly document: string;
  readonly query: string;
  /** Headings of the output below the query; undefined where none is shown. */
  readonly headings: readonly string[] | undefined;
}

function examplesOf(document: string): Example[] {
  const text = readFileSync(`${packageRoot}/${document}`, "utf8");
  return [...text.matchAll(/```sql\n(.+?)\n```(?:\s+```text\n(.+?)\n)?/gs)].map(
    ([, query = "", headings]) => ({
      document,
      query: query.replace(/\s+/g, " "),
      headings: headings?.trim().split(/ {2,}/),
    }),
  );
}

/** What a row of the answer has a value for. */
function valuesOf({ tagFamilies, fields }: DataPoint): Set<string> {
  const known = (kind: string | undefined) => kind !== undefined && kind !== "null";
  return new Set([
    ...tagFamilies.flatMap(({ tags }) =>
      tags.filter(({ value }) => known(value?.value.case)).map(({ key }) => key),
    ),
    ...fields.filter(({ value }) => known(value?.value.case)).map(({ name }) => name),
  ]);
}

/** One row, or several, for each series that the queries ask for. */
async function store(address: string, group: string, nodeId: string): Promise<void> {
  const nowMs = Date.now();
  const delivery = createDelivery({
    config: {
      banyandb: plainConfig(address, group),
      queue: { maxBytes: 1e7, maxAgeMs: 60 * MINUTE_MS },
      delivery: { audit: false },
    },
    identity: [nodeId, "demo", "data", "hot"],
    schema: SCHEMA,
    log: SILENT,
  });
  for (const ageMs of [...AGES_MS].reverse()) {
    const samples = [
      sampleOf("page_cache", [], {}, 8),
      sampleOf("page_cache_component", ["measure", "sw_metricsMinute", "index"], {}, 5),
      sampleOf("page_cache_component", ["trace", "sw_trace", "data"], {}, 3),
      sampleOf("fadvise", ["dontneed"], {}, 2),
      sampleOf("fadvise", ["willneed"], {}, 4),
      sampleOf("read_latency", ["missed"], {}, 9),
      sampleOf("memory_pressure", ["target"], {}, 6),
      sampleOf("memory_pressure", ["node"], {}, 7),
      sampleOf("sidecar", [], {}, 1),
    ];
    delivery.enqueue(tickOf(nowMs - ageMs, samples, 10_000));
  }
  await delivery.stop(20_000);
  expect(delivery.status().points).to.include({ collected: 18, written: 18 });
}

describe("queries in the documents", function () {
  this.timeout(60_000);

  const examples = DOCUMENTS.flatMap(examplesOf);
  const group = `queries_${process.pid}`;
  let server: BanyandbServer;
  let client: BanyandbClient;
  let hasBydbql: boolean;

  before(async () => {
    server = await startBanyandbServer();
    client = connectBanyandb(server.address);
    hasBydbql = server.kind !== "embedded";
    if (hasBydbql) for (const node of NODES) await store(server.address, group, node);
    else console.log("  The embedded BanyanDB has no BydbQL: the queries are parsed and not run");
  });
  after(async () => {
    client.close();
    await server.close();
  });

  it("answer at least 15 questions, each with an output", () => {
    const own = examples.filter(({ document }) => document === "docs/QUERIES.md");
    expect(own.length).to.be.at.least(15);
    expect(own.filter(({ headings }) => headings === undefined).map(({ query }) => query)).to.deep.equal([]);
  });

  for (const { document, query: text, headings } of examples) {
    it(`${document}: ${text}`, async () => {
      const query = parseBydbql(text);
      expect(checkQuery(query, SCHEMA)).to.deep.equal([]);
      expect(query.group).to.equal("ebpf");
      const columns = [...new Set(query.columns.map(({ name }) => name))];
      if (headings) expect(headings.filter((name) => name !== "time")).to.have.members(columns);

      const call = client.call(BydbQLService.method.query, {
        query: text.replace(" IN ebpf ", ` IN ${group} `),
      });
      if (!hasBydbql) {
        expect((await failureOf(call)).code).to.equal("UNIMPLEMENTED");
        return;
      }
      const { result } = await call;
      if (result.case !== "measureResult") throw new Error(`the answer is ${String(result.case)}`);
      expect(result.value.dataPoints.length).to.be.greaterThan(0);
      for (const row of result.value.dataPoints) expect([...valuesOf(row)]).to.have.members(columns);
    });
  }
});
