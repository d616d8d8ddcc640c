/** What the configuration names by file: the password, authorities, and certificate and key of the HTTP endpoint. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Config } from "./config.js";
import { CREDENTIAL } from "./formats.js";
import { changeableByOthers, unfitForSecrets, type GuardedFile, type ReadGuarded } from "./guarded-file.js";
import type { ConfigProblem } from "./problems.js";

export interface SecretFiles {
  readonly passwordFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** All may change while the program runs. undefined where no file is named, or where it cannot be used. */
export interface Secrets {
  readonly password: string | undefined;
  /** PEM. */
  readonly ca: string | undefined;
  /** PEM. */
  readonly cert: string | undefined;
  /** PEM. */
  readonly key: string | undefined;
  /** What is wrong with the files; never repeats what is in them. */
  readonly problems: readonly Omit<ConfigProblem, "source">[];
}

/** The files that a configuration names. */
export function secretFiles({ banyandb, http }: Pick<Config, "banyandb" | "http">): SecretFiles {
  return {
    passwordFile: banyandb.passwordFile,
    caFile: banyandb.tls?.caFile,
    certFile: http.tls?.certFile,
    keyFile: http.tls?.keyFile,
  };
}

/** Reads the files that are named. `ownIds` are the users that may own a file with a secret. */
export function readSecrets(
  { passwordFile, caFile, certFile, keyFile }: SecretFiles,
  read: ReadGuarded,
  ownIds: readonly number[],
): Secrets {
  const problems: Omit<ConfigProblem, "source">[] = [];
  /** The content as `use` has it; what is wrong with it is what `unfit` says. */
  const take = (
    key: string,
    path: string | undefined,
    unfit: (file: GuardedFile) => string | undefined,
    use: (text: string) => string | undefined = (text) => text,
  ): string | undefined => {
    if (path === undefined) return undefined;
    const file = open(path, read);
    const problem = "problem" in file ? file.problem : unfit(file);
    if (problem !== undefined) problems.push({ key, message: `${path}${problem}` });
    return "text" in file ? use(file.text) : undefined;
  };
  const secret = (file: GuardedFile, otherwise: () => string | undefined) =>
    labelled(unfitForSecrets(file, ownIds) ?? otherwise());

  const password = take(
    "banyandb.password_file",
    passwordFile,
    (file) =>
      secret(file, () =>
        asPassword(file.text) === undefined ? `it must hold ${CREDENTIAL.allowed}, on one line` : undefined,
      ),
    asPassword,
  );
  // Who may write an authority may be BanyanDB, and be told the password.
  const certificates = (file: GuardedFile) =>
    labelled(
      changeableByOthers(file, ownIds) ??
        (certificateOf(file.text) ? undefined : "it must hold certificates in PEM"),
    );
  const ca = take("banyandb.tls.ca_file", caFile, certificates);
  const cert = take("http.tls.cert_file", certFile, certificates);
  const key = take("http.tls.key_file", keyFile, (file) => secret(file, () => unfitKey(file.text, cert)));
  return { password, ca, cert, key, problems };
}

function open(path: string, read: ReadGuarded): GuardedFile | { readonly problem: string } {
  try {
    return read(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { problem: ` cannot be read: ${code ?? message}` };
  }
}

function labelled(problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `: ${problem}`;
}

function asPassword(text: string): string | undefined {
  return CREDENTIAL.parse(text.replace(/\r?\n$/, ""));
}

/** The first certificate of a PEM file; half a file while it is written has none. */
function certificateOf(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    // Whatever is wrong with it: it is none.
    return undefined;
  }
}

/** Why a key cannot be used with the certificate, where there is one; while both are replaced they may not fit. */
function unfitKey(pem: string, cert: string | undefined): string | undefined {
  try {
    const key = createPrivateKey(pem);
    const fits = cert === undefined || certificateOf(cert)?.checkPrivateKey(key) !== false;
    return fits ? undefined : "it is not the key of http.tls.cert_file";
  } catch {
    // The engine's message may tell of the content.
    return "it must hold a private key in PEM, without a pass phrase";
  }
}
