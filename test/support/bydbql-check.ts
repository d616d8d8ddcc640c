/** What a query names against schema/, and the rules that BanyanDB applies after parsing (pkg/bydbql/transformer.go). */
import type { Schema } from "../../src/model/measure.js";
import type { Query, Where } from "./bydbql.js";

/** Problems of the query, one line each; none where every server accepts it. */
export function checkQuery(query: Query, { group, measures }: Schema): string[] {
  const measure = measures.find(({ name }) => name === query.measure);
  if (!measure) return [`there is no measure ${query.measure}`];
  const tags = new Set([...group.identityTags, ...measure.tags].map(({ name }) => name));
  const fields = new Set(measure.fields.map(({ name }) => name));
  const { columns, top, groupBy } = query;
  const named = [...columns.map(({ name }) => name), ...groupBy, ...(top ? [top.field] : [])];
  return [...new Set(named.filter((name) => !tags.has(name) && !fields.has(name)))]
    .map((name) => `${query.measure} has no tag or field ${name}`)
    .concat(
      query.hasTime ? [] : ["TIME is missing"],
      // Without it a measure gives its oldest 100 rows and says nothing.
      query.limit === undefined && !top ? ["LIMIT is missing"] : [],
      top && !fields.has(top.field) ? [`TOP ranks by a field, and ${top.field} is none`] : [],
      columns.some(({ name }) => tags.has(name)) ? [] : ["0.9 needs a tag among the columns"],
      aggregateProblems(query, fields),
      whereProblems(query.where, tags),
    );
}

function aggregateProblems({ columns, groupBy }: Query, fields: ReadonlySet<string>): string[] {
  const aggregates = columns.filter(({ aggregate }) => aggregate !== undefined);
  const plain = new Set(columns.filter(({ aggregate }) => aggregate === undefined).map(({ name }) => name));
  const problems = [...groupBy]
    .filter((name) => !plain.has(name))
    .map((name) => `group column ${name} is not selected`);
  if (aggregates.length > 1) problems.push("only one aggregate is allowed");
  const [aggregate] = aggregates;
  if (!aggregate) return problems;
  if (!fields.has(aggregate.name)) problems.push(`${aggregate.name} is no field, it cannot be aggregated`);
  if (!plain.has(aggregate.name)) problems.push(`aggregated field ${aggregate.name} is not selected`);
  const ungrouped = [...plain].filter((name) => !groupBy.includes(name));
  if (groupBy.length > 0) problems.push(...ungrouped.map((name) => `${name} is not grouped by`));
  if (aggregate.aggregate === "MEAN" || aggregate.aggregate === "AVG") {
    problems.push(`${aggregate.aggregate} never gives less than 1`);
  }
  return problems;
}

function whereProblems(where: Where, tags: ReadonlySet<string>): string[] {
  return where.flatMap((conditions) => [
    ...conditions
      .filter(({ tag }) => !tags.has(tag))
      .map(({ tag }) => `WHERE takes tags, and ${tag} is none`),
    ...(conditions.length > 1 && conditions.some(({ values }) => values.length > 1)
      ? ["IN with several values cannot be ANDed with another condition"]
      : []),
  ]);
}
