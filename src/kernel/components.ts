/** Components: the parts of the target that counts are kept apart for. Pure. */
import {
  CATALOGS,
  DEFAULT_ROOT,
  FILE_KIND_NAMES,
  NAME_RULES,
  type CatalogLayout,
} from "./banyandb-layout.js";

/** Names of a component; the tags of measure page_cache_component, in their order. */
export interface Component {
  readonly catalog: string;
  readonly dbGroup: string;
  readonly fileKind: string;
}

/** A directory to be watched: files below it belong to this catalog and group. */
export interface ComponentDirectory {
  /** As the target sees it. */
  readonly path: string;
  readonly catalog: string;
  readonly dbGroup: string;
}

/** Files in none of the directories. */
const UNKNOWN: Component = { catalog: "unknown", dbGroup: "n/a", fileKind: "n/a" };
/** Files in a directory for which no number was left. */
const OTHER = "other";
/** Above the directory of any group. */
const NO_GROUP = "n/a";
/** The program itself: where memory is short its own code is evicted, and every part of it waits. */
export const PROGRAM = { catalog: "program", dbGroup: NO_GROUP } as const;
/** Of a file that is no data, index or metadata. */
export const NO_KIND = FILE_KIND_NAMES.length;

/** Where the catalogs are, by the target's command line. Relative roots are taken from its working directory. */
export function catalogRoots(
  commandLine: readonly string[],
  workingDirectory: string,
): { readonly layout: CatalogLayout; readonly path: string }[] {
  return CATALOGS.map((layout) => {
    const root = flagValue(commandLine, layout.rootFlag) ?? DEFAULT_ROOT;
    const absolute = root.startsWith("/") ? root : `${workingDirectory}/${root}`;
    return { layout, path: `${absolute.replace(/\/+$/, "")}/${layout.directory}` };
  });
}

/** Value of `--flag value` or `--flag=value`; the last one wins, as in the flag parser of BanyanDB. */
function flagValue(commandLine: readonly string[], flag: string): string | undefined {
  let value: string | undefined;
  commandLine.forEach((word, i) => {
    if (word === flag) value = commandLine[i + 1];
    else if (word.startsWith(`${flag}=`)) value = word.slice(flag.length + 1);
  });
  return value;
}

/**
 * Directories of one catalog, the more general first.
 * @param groups names found in the directory of groups
 */
export function catalogDirectories(
  layout: CatalogLayout,
  path: string,
  groups: readonly string[],
): ComponentDirectory[] {
  const { catalog } = layout;
  const general = { path, catalog, dbGroup: NO_GROUP };
  if (layout.groups === undefined) return [general];
  const data = `${path}/${layout.groups}`;
  return [general, ...groups.map((group) => ({ path: `${data}/${group}`, catalog, dbGroup: group }))];
}

/** Whose files a component and those of the other kinds above it are. */
export interface ComponentOwner extends Pick<ComponentDirectory, "catalog" | "dbGroup"> {
  readonly identity: number;
}

export interface ComponentTable {
  /** Number of the files of kind 0 of this catalog and group of a target; a new one where there is none yet. */
  readonly baseOf: (identity: number, directory: Pick<ComponentDirectory, "catalog" | "dbGroup">) => number;
  /** Names behind a component number. */
  readonly describe: (component: number) => Component;
  /** Number of the target that a component belongs to. */
  readonly identityOf: (component: number) => number;
  /** Components from here on were never given away. */
  readonly used: () => number;
  /** Whose they are, from the first base on. */
  readonly owners: () => readonly ComponentOwner[];
}

export interface ComponentLimits {
  readonly componentsMax: number;
  readonly fileKinds: number;
  /** A multiple of `fileKinds`. */
  readonly identitiesMax: number;
}

/**
 * Gives numbers to catalogs and groups. The first are the unknown files, one number for each target; then comes a
 * base for each target's `other`; each base has room for the kinds. A number is never given to another group, since
 * its counts may not all be delivered yet.
 * @param identities targets that there may be
 * @param saved owners that have their numbers already
 */
export function createComponentTable(
  limits: ComponentLimits,
  identities: number,
  saved?: readonly ComponentOwner[],
): ComponentTable {
  const { componentsMax, fileKinds, identitiesMax } = limits;
  const other = (_: unknown, identity: number) => ({ identity, catalog: OTHER, dbGroup: NO_GROUP });
  const owners: ComponentOwner[] = saved ? [...saved] : Array.from({ length: identities }, other);
  const bases = new Map<string, number>();
  const baseAt = (owner: number) => identitiesMax + owner * fileKinds;
  const keyOf = (identity: number, catalog: string, dbGroup: string) =>
    `${identity}\u0000${catalog}\u0000${dbGroup}`;
  owners.forEach(({ identity, catalog, dbGroup }, owner) => {
    if (owner >= identities) bases.set(keyOf(identity, catalog, dbGroup), baseAt(owner));
  });
  const ownerOf = (component: number) => owners[Math.floor((component - identitiesMax) / fileKinds)];
  return {
    baseOf: (identity, { catalog, dbGroup }) => {
      const key = keyOf(identity, catalog, dbGroup);
      const known = bases.get(key);
      if (known !== undefined) return known;
      if (baseAt(owners.length + 1) > componentsMax) return baseAt(identity);
      const base = baseAt(owners.push({ identity, catalog, dbGroup }) - 1);
      bases.set(key, base);
      return base;
    },
    describe: (component) => {
      const owner = ownerOf(component);
      if (!owner) return UNKNOWN;
      const { catalog, dbGroup } = owner;
      return { catalog, dbGroup, fileKind: FILE_KIND_NAMES[component % fileKinds] ?? "n/a" };
    },
    identityOf: (component) => ownerOf(component)?.identity ?? Math.min(component, identitiesMax - 1),
    used: () => baseAt(owners.length),
    owners: () => owners,
  };
}

/** The rules as the kernel takes them: first letter of what the name is of, the name, the kind's number. */
export function kernelNames(): { readonly tag: string; readonly text: string; readonly kind: number }[] {
  return NAME_RULES.map(({ of, name, kind }) => ({
    tag: of.slice(0, 1),
    text: name,
    kind: FILE_KIND_NAMES.indexOf(kind),
  }));
}

/** Kind of a file by the same rules as the kernel's, from its path below the directory of its group. */
export function kindOf(relativePath: string): number {
  const folders = relativePath.split("/");
  const file = folders.pop() ?? "";
  const extension = file.lastIndexOf(".") < 0 ? "" : file.slice(file.lastIndexOf("."));
  const rule =
    folders
      .reverse()
      .map((name) => ruleFor("directory", name))
      .find((found) => found !== undefined) ??
    ruleFor("file", file) ??
    ruleFor("extension", extension);
  return rule === undefined ? 0 : FILE_KIND_NAMES.indexOf(rule.kind);
}

function ruleFor(of: "file" | "extension" | "directory", name: string) {
  return NAME_RULES.find((rule) => rule.of === of && rule.name === name);
}
