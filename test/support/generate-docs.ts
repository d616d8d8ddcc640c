/** `npm run generate:docs`: makes the tables of docs/METRICS.md anew from schema/. */
import { readFileSync, writeFileSync } from "node:fs";
import { format } from "prettier";
import { readSchema } from "../../src/config/schema-files.js";
import { withMeasures } from "./metrics-doc.js";
import { packageRoot } from "./package-root.js";

const path = `${packageRoot}/docs/METRICS.md`;
const text = withMeasures(readFileSync(path, "utf8"), readSchema());
writeFileSync(path, await format(text, { parser: "markdown", printWidth: 110 }));
