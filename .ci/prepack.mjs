/** Before `npm pack`: builds all that the package holds, and writes down when. */
import { existsSync, writeFileSync } from "node:fs";
import { setUp } from "./setup.mjs";
import { StepError } from "./step.mjs";

try {
  await setUp({ forTests: false });
  if (!existsSync("build/sidecar.node")) throw new StepError("build/sidecar.node was not built");
  writeFileSync("dist/built.json", `${JSON.stringify({ builtMs: Date.now() })}\n`);
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
