/** The page for Horizon, asked for as Horizon would. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../support/package-root.js";
import { type Entity, mqe } from "./mqe.js";

const PAGE = "configs/skywalking/page-cache.ext-page.json";

interface Widget {
  readonly title: string;
  readonly expressions: readonly string[];
  readonly visibleWhen?: { readonly expression: string };
}

export interface PageAnswers {
  readonly problems: readonly string[];
  readonly answers: readonly string[];
}

/**
 * What each widget of the page would show; one that gets no value, or an error, is a problem. `named` gives the meters
 * in an expression the names that they have in this OAP.
 */
export async function pageAnswers(
  port: number,
  entity: Entity,
  named: (expression: string) => string,
): Promise<PageAnswers> {
  const { widgets } = JSON.parse(readFileSync(join(packageRoot, PAGE), "utf8")) as { widgets: Widget[] };
  const problems: string[] = [];
  const answers: string[] = [];
  for (const { title, expressions, visibleWhen } of widgets) {
    for (const expression of [...expressions, ...(visibleWhen ? [visibleWhen.expression] : [])]) {
      const where = `${PAGE} "${title}"`;
      try {
        const results = await mqe(port, named(expression), entity);
        const shown = results.flatMap(({ metric, values }) => {
          const labels = metric.labels.map(({ value }) => value).join(" ");
          const newest = values.filter(({ value }) => value !== null).at(-1)?.value;
          return newest === undefined ? [] : [`${where}: ${expression}: ${labels} = ${newest ?? ""}`];
        });
        if (shown.length === 0) problems.push(`${where}: no value: ${expression}`);
        answers.push(...shown);
      } catch (error) {
        problems.push(`${where}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return { problems, answers };
}
