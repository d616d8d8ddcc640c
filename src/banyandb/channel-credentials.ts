/** Which certificates a server may show, and who we say that we are. */
import { existsSync, readFileSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import type { TlsConfig } from "../config/config.js";

export interface Account {
  readonly username: string | undefined;
  /** Secret. */
  readonly password: string | undefined;
}

/**
 * Where distributions keep the authorities of the system (the list of Go's crypto/x509/root_linux.go, which
 * BanyanDB's own tools use). Node would take those it was compiled with, which no administrator can add to.
 */
const SYSTEM_CA_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Credentials of a channel: plain text where `tls` is undefined. */
export function channelCredentials(tls: TlsConfig | undefined): grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure();
  return grpc.credentials.createSsl(tls.ca === undefined ? systemAuthorities() : Buffer.from(tls.ca));
}

/** Options that go with them: the name that the certificate must have, where it is not the endpoint's host. */
export function channelNames(tls: TlsConfig | undefined): grpc.ChannelOptions {
  const name = tls?.serverName;
  return name === undefined ? {} : { "grpc.ssl_target_name_override": name, "grpc.default_authority": name };
}

/**
 * null: those of Node, where the system has none. SSL_CERT_FILE names another file, as for OpenSSL and Go; one that is
 * not there has no authorities.
 */
function systemAuthorities(): Buffer | null {
  const named = process.env["SSL_CERT_FILE"] ?? "";
  if (named !== "") return existsSync(named) ? readFileSync(named) : Buffer.alloc(0);
  const file = SYSTEM_CA_FILES.find((path) => existsSync(path));
  return file === undefined ? null : readFileSync(file);
}

/** Plain metadata, as BanyanDB wants it, so that it also works without TLS. */
export function accountMetadata({ username, password }: Account): grpc.Metadata {
  const metadata = new grpc.Metadata();
  if (username !== undefined) metadata.set("username", username);
  if (password !== undefined) metadata.set("password", password);
  return metadata;
}

/** A text of the other side as it may be shown: one that repeats the password must not. */
export function withoutSecret(text: string, { password }: Account): string {
  return password === undefined || password === "" ? text : text.replaceAll(password, "********");
}
