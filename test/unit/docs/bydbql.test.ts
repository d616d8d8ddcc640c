import { expect } from "chai";
import { readSchema } from "../../../src/config/schema-files.js";
import { BydbqlError, parseBydbql } from "../../support/bydbql.js";
import { checkQuery } from "../../support/bydbql-check.js";

const SCHEMA = readSchema();
const FROM = "FROM MEASURE page_cache IN ebpf TIME > '-1h'";

describe("the parser of BydbQL", () => {
  it("reads columns, conditions, groups and limit", () => {
    const text =
      "select TOP 3 reads DESC, node_id, reads, SUM(reads) from MEASURE page_cache IN ebpf " +
      "TIME BETWEEN '-2h' AND 'now' WHERE (node_id = 'a' AND cluster = 'b') OR node_id IN ('c', 'd') " +
      "GROUP BY node_id, reads ORDER BY DESC LIMIT 5 OFFSET 2";
    expect(parseBydbql(text)).to.deep.equal({
      top: { count: 3, field: "reads" },
      columns: [
        { name: "node_id", aggregate: undefined },
        { name: "reads", aggregate: undefined },
        { name: "reads", aggregate: "SUM" },
      ],
      measure: "page_cache",
      group: "ebpf",
      hasTime: true,
      where: [
        [
          { tag: "node_id", operator: "=", values: ["a"] },
          { tag: "cluster", operator: "=", values: ["b"] },
        ],
        [{ tag: "node_id", operator: "IN", values: ["c", "d"] }],
      ],
      groupBy: ["node_id", "reads"],
      limit: 5,
    });
  });

  const wrong: readonly [why: string, text: string][] = [
    ["a semicolon at the end", `SELECT node_id ${FROM} LIMIT 5;`],
    ["arithmetic", `SELECT pages_hit / reads ${FROM} LIMIT 5`],
    ["a name with a dash", "SELECT node_id FROM MEASURE page_cache IN my-group TIME > '-1h' LIMIT 5"],
    [
      "WHERE before TIME",
      "SELECT node_id FROM MEASURE page_cache IN ebpf WHERE node_id = 'a' TIME > '-1h' LIMIT 5",
    ],
    ["TOP without a column", `SELECT TOP 5 reads DESC ${FROM}`],
    ["order by a field", `SELECT node_id ${FROM} ORDER BY reads DESC LIMIT 5`],
    ["a time without a unit", "SELECT node_id FROM MEASURE page_cache IN ebpf TIME > '-30' LIMIT 5"],
    ["an unknown function", `SELECT node_id, P99(reads) ${FROM} LIMIT 5`],
    ["a fraction", `SELECT node_id ${FROM} LIMIT 0.5`],
  ];
  for (const [why, text] of wrong) {
    it(`refuses ${why}`, () => {
      expect(() => parseBydbql(text)).to.throw(BydbqlError);
    });
  }
});

describe("the check of a query against schema/", () => {
  const problems = (text: string) => checkQuery(parseBydbql(text), SCHEMA);

  it("finds nothing in a good query", () => {
    expect(
      problems(`SELECT node_id, reads, SUM(reads) ${FROM} GROUP BY node_id, reads LIMIT 9`),
    ).to.deep.equal([]);
  });

  const wrong: readonly [text: string, problem: string][] = [
    ["SELECT node_id FROM MEASURE cache IN ebpf TIME > '-1h' LIMIT 5", "there is no measure cache"],
    [`SELECT node_id, misses ${FROM} LIMIT 5`, "page_cache has no tag or field misses"],
    [`SELECT node_id ${FROM} WHERE db_group = 'a' LIMIT 5`, "WHERE takes tags, and db_group is none"],
    [`SELECT node_id ${FROM} WHERE reads = '5' LIMIT 5`, "WHERE takes tags, and reads is none"],
    ["SELECT node_id FROM MEASURE page_cache IN ebpf LIMIT 5", "TIME is missing"],
    [`SELECT node_id, reads ${FROM}`, "LIMIT is missing"],
    [`SELECT reads ${FROM} LIMIT 5`, "0.9 needs a tag among the columns"],
    [`SELECT node_id, SUM(reads) ${FROM} LIMIT 5`, "aggregated field reads is not selected"],
    [`SELECT node_id, reads, SUM(reads) ${FROM} GROUP BY node_id LIMIT 5`, "reads is not grouped by"],
    [`SELECT node_id, reads, SUM(reads), MAX(reads) ${FROM} LIMIT 5`, "only one aggregate is allowed"],
    [`SELECT node_id, reads, MEAN(reads) ${FROM} LIMIT 5`, "MEAN never gives less than 1"],
    [`SELECT TOP 5 node_id DESC, node_id ${FROM}`, "TOP ranks by a field, and node_id is none"],
    [
      `SELECT node_id ${FROM} WHERE node_id IN ('a', 'b') AND cluster = 'c' LIMIT 5`,
      "IN with several values cannot be ANDed with another condition",
    ],
  ];
  for (const [text, problem] of wrong) {
    it(`says: ${problem}`, () => {
      expect(problems(text)).to.deep.equal([problem]);
    });
  }
});
