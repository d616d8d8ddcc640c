/** Reads schema/ and package.json of the installed package. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "./config.js";
import { parseGroup, parseMeasure, type Schema, SchemaFileError } from "../model/measure.js";

const GROUP_FILE = "group.json";

/** The folder of the nearest package.json above this file, wherever the build was put. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${import.meta.url}`);
    folder = parent;
  }
  return folder;
}

/**
 * Reads all files of schema/, the measures in the order of their names.
 * @throws SchemaFileError
 */
export function readSchema(folder = join(packageRoot(), "schema")): Schema {
  const measures = readdirSync(folder)
    .filter((file) => file.endsWith(".json") && file !== GROUP_FILE)
    .sort()
    .map((file) => {
      const measure = parseMeasure(file, readJson(folder, file));
      if (measure.name === basename(file, ".json")) return measure;
      throw new SchemaFileError(file, `measure ${measure.name} must be in ${measure.name}.json`);
    });
  return { group: parseGroup(GROUP_FILE, readJson(folder, GROUP_FILE)), measures };
}

/**
 * Those of them that this configuration wants written.
 * @throws SchemaFileError
 */
export function configuredSchema({ kernel }: Pick<Config, "kernel">): Schema {
  const { group, measures } = readSchema();
  return { group, measures: measures.filter(({ optional }) => !optional || kernel.latencyBuckets) };
}

function readJson(folder: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, file), "utf8"));
  } catch (error) {
    throw new SchemaFileError(file, error instanceof Error ? error.message : String(error));
  }
}

/** Clocks of the machines that build and run may differ by this much. */
const BUILD_TOLERANCE_MS = 3_600_000;

/**
 * A time, in milliseconds since the epoch, before which this program cannot run: it was not yet built. npm gives
 * every file of a package one date of 1985, so the package says it in a file.
 */
export function builtMs(root = packageRoot()): number {
  const path = join(root, "dist/built.json");
  const { builtMs: packedMs = 0 } = existsSync(path)
    ? (JSON.parse(readFileSync(path, "utf8")) as { builtMs?: number })
    : {};
  return Math.max(statSync(fileURLToPath(import.meta.url)).mtimeMs, packedMs) - BUILD_TOLERANCE_MS;
}

/** Version of this package. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    version: string;
  };
  return version;
}
