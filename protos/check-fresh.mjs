// Fails when src/gen is not what the .proto files give: generates into a temporary folder and compares.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const committed = join(root, "src/gen");

function generate(into) {
  const bin = join(root, "node_modules/.bin");
  const args = ["generate", "protos", "--template", "protos/buf.gen.yaml", "-o", into];
  const result = spawnSync(join(bin, "buf"), args, {
    cwd: root,
    env: { ...process.env, PATH: [bin, process.env.PATH].join(delimiter) },
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`buf generate failed: ${result.error ?? result.stderr}`);
  return join(into, "src/gen");
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

function problemOf(name, fresh) {
  if (!existsSync(join(fresh, name))) return "no .proto file gives it";
  if (!existsSync(join(committed, name))) return "is missing";
  return readFileSync(join(fresh, name)).equals(readFileSync(join(committed, name))) ? undefined : "is stale";
}

const temporary = mkdtempSync(join(tmpdir(), "protos-"));
try {
  const fresh = generate(temporary);
  const names = new Set([...filesBelow(fresh), ...filesBelow(committed)]);
  if (names.size === 0) throw new Error("nothing was generated");
  const problems = [...names].sort().map((name) => ({ name, problem: problemOf(name, fresh) }));
  for (const { name, problem } of problems) {
    if (problem === undefined) continue;
    console.error(`${relative(root, join(committed, name))} ${problem}: run \`npm run generate\``);
    process.exitCode = 1;
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
