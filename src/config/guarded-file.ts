/** Files that others must not be able to read or change. */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";

/** What the file system says of a file. */
export interface FileFacts {
  readonly ownerId: number;
  /** Permission bits. */
  readonly mode: number;
}

export interface GuardedFile extends FileFacts {
  readonly text: string;
}

/** Reads a file together with its facts. @throws an error with `code` ENOENT where there is no such file */
export type ReadGuarded = (path: string) => GuardedFile;

/** Reads text and facts of the same file, whatever is put in its place meanwhile. */
export const readGuardedFile: ReadGuarded = (path) => {
  const file = openSync(path, "r");
  try {
    const { uid, mode } = fstatSync(file);
    return { text: readFileSync(file, "utf8"), ownerId: uid, mode: mode & 0o777 };
  } finally {
    closeSync(file);
  }
};

const ROOT_ID = 0;

/** Why nobody can trust what the file says; undefined where they can. `ownIds` are the users that may own it. */
export function changeableByOthers(
  { ownerId, mode }: FileFacts,
  ownIds: readonly number[],
): string | undefined {
  if (ownerId !== ROOT_ID && !ownIds.includes(ownerId)) {
    return `owned by user ${ownerId}, who is neither root nor the user of this process: chown it`;
  }
  if ((mode & 0o002) !== 0) return `others may write it (mode ${octal(mode)}): chmod o-w`;
  return undefined;
}

/** Why the file cannot hold a secret; undefined where it can. */
export function unfitForSecrets(facts: FileFacts, ownIds: readonly number[]): string | undefined {
  const changeable = changeableByOthers(facts, ownIds);
  if (changeable !== undefined) return changeable;
  if ((facts.mode & 0o066) === 0) return undefined;
  return `it holds a secret, and group or others may read or write it (mode ${octal(facts.mode)}): chmod 600`;
}

/** The users who may own what is configured: the one of this process, and the one who called sudo. */
export function ownUserIds(environment: Readonly<Record<string, string | undefined>>): readonly number[] {
  const sudo = environment["SUDO_UID"] ?? "";
  return [process.geteuid?.() ?? ROOT_ID, ...(/^\d+$/.test(sudo) ? [Number(sudo)] : [])];
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
