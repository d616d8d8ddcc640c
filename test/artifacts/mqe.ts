/** Asks OAP, in its own query language of metrics (MQE). */

/** Whose values are asked for: serviceName, and serviceInstanceName or endpointName. */
export type Entity = Readonly<Record<string, string>>;

export interface MqeResult {
  readonly metric: { readonly labels: readonly { readonly key: string; readonly value: string }[] };
  readonly values: readonly { readonly value: string | null }[];
}

export const MINUTE_MS = 60_000;

/** Minutes as OAP of this machine's time zone, which is that of the process, writes them. */
function minute(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * MINUTE_MS).toISOString();
  return `${local.slice(0, 10)} ${local.slice(11, 13)}${local.slice(14, 16)}`;
}

/** The last whole minutes, oldest first. @throws Error with what OAP says of a bad expression */
export async function mqe(port: number, expression: string, entity: Entity): Promise<MqeResult[]> {
  const nowMs = Date.now();
  const duration = { start: minute(nowMs - 3 * MINUTE_MS), end: minute(nowMs - MINUTE_MS), step: "MINUTE" };
  const query =
    "query($expression: String!, $entity: Entity!, $duration: Duration!) { execExpression(expression: $expression, " +
    "entity: $entity, duration: $duration) { error results { metric { labels { key value } } values { value } } } }";
  const variables = {
    expression,
    entity: { normal: true, ...entity },
    duration,
  };
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as {
    data?: { execExpression: { error: string | null; results: MqeResult[] } };
    errors?: unknown;
  };
  if (!data) throw new Error(JSON.stringify(errors));
  if (data.execExpression.error !== null) throw new Error(`${expression}: ${data.execExpression.error}`);
  return data.execExpression.results;
}
