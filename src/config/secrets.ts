/** What the configuration names by file: the password and the authorities. Both may change while running. */
import { X509Certificate } from "node:crypto";
import { CREDENTIAL } from "./formats.js";
import { unfitForSecrets, type GuardedFile, type ReadGuarded } from "./guarded-file.js";
import type { ConfigProblem } from "./problems.js";

export interface SecretFiles {
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
}

export interface Secrets {
  /** undefined where no file is named. */
  readonly password: string | undefined;
  /** PEM; undefined where no file is named. */
  readonly ca: string | undefined;
  /** What is wrong with the files; never repeats what is in them. */
  readonly problems: readonly Omit<ConfigProblem, "source">[];
}

/** Reads the files that are named. `ownIds` are the users that may own a file with a secret. */
export function readSecrets(
  { passwordFile, caFile }: SecretFiles,
  read: ReadGuarded,
  ownIds: readonly number[],
): Secrets {
  const problems: Omit<ConfigProblem, "source">[] = [];
  const open = (key: string, path: string): GuardedFile | undefined => {
    try {
      return read(path);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      problems.push({ key, message: `${path} cannot be read: ${code ?? message}` });
      return undefined;
    }
  };

  let password: string | undefined;
  const secret = passwordFile === undefined ? undefined : open("banyandb.password_file", passwordFile);
  if (secret) {
    password = CREDENTIAL.parse(secret.text.replace(/\r?\n$/, ""));
    const unfit = unfitForSecrets(secret, ownIds);
    const message =
      unfit ?? (password === undefined ? `it must hold ${CREDENTIAL.allowed}, on one line` : undefined);
    if (message !== undefined) {
      problems.push({ key: "banyandb.password_file", message: `${passwordFile ?? ""}: ${message}` });
    }
  }

  let ca: string | undefined;
  const authorities = caFile === undefined ? undefined : open("banyandb.tls.ca_file", caFile);
  if (authorities) {
    ca = authorities.text;
    if (!isCertificate(ca)) {
      problems.push({
        key: "banyandb.tls.ca_file",
        message: `${caFile ?? ""}: it must hold certificates in PEM`,
      });
    }
  }
  return { password, ca, problems };
}

/** Whether the first certificate of a PEM file can be read; half a file while it is written cannot. */
function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== "";
  } catch {
    // Whatever is wrong with it: it is none.
    return false;
  }
}
