/** Directory of the package that these compiled tests belong to. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

function findUpwards(directory: string): string {
  if (existsSync(`${directory}/package.json`)) return directory;
  const parent = dirname(directory);
  if (parent === directory) throw new Error("no package.json above the tests");
  return findUpwards(parent);
}

export const packageRoot = findUpwards(dirname(fileURLToPath(import.meta.url)));
