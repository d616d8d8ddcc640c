/** Certificates for tests, made by openssl where a test needs a key that goes with them. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Issued {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface Authority extends Issued {
  /** A certificate of this authority for a name, such as DNS:banyandb or IP:127.0.0.1. */
  issue(name: string): Issued;
}

const VALID_DAYS = "2";

/** A new authority, that nobody knows. */
export function createAuthority(): Authority {
  const own = openssl((file) => [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...[
      "-subj",
      "/CN=test authority",
      "-days",
      VALID_DAYS,
      "-keyout",
      file("key"),
      "-out",
      file("certificate"),
    ],
  ]);
  return {
    ...own,
    issue: (name) =>
      openssl((file) => {
        writeFileSync(file("ca"), own.certificate + own.key);
        return [
          ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
          ...["-subj", "/CN=test server", "-addext", `subjectAltName=${name}`, "-days", VALID_DAYS],
          ...["-addext", "basicConstraints=critical,CA:FALSE"],
          ...["-CA", file("ca"), "-CAkey", file("ca"), "-keyout", file("key"), "-out", file("certificate")],
        ];
      }),
  };
}

function openssl(argumentsFor: (file: (name: string) => string) => readonly string[]): Issued {
  const folder = mkdtempSync(join(tmpdir(), "sidecar-certificate-"));
  const file = (name: string): string => join(folder, `${name}.pem`);
  try {
    execFileSync("openssl", argumentsFor(file), { stdio: "pipe" });
    return {
      certificate: readFileSync(file("certificate"), "utf8"),
      key: readFileSync(file("key"), "utf8"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Some certificate; nobody has its key. */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUMeo7SvKfcbCdA6VH4jXiQo3y3SEwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjQxMDI1MTlaGA8yMTI2MTAzMTEwMjUx
OVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPbr
vJOFhb1mH7m7qNblj4gk+No4t/jaKNVMN5LuQsmLagdP6CPyERNnksRvfIB41Iql
kFSb/0kEjVTvbyiOHv6jUzBRMB0GA1UdDgQWBBR2udRSorSW2pUIN21ZvHqzrQzV
VzAfBgNVHSMEGDAWgBR2udRSorSW2pUIN21ZvHqzrQzVVzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQDZ6CV8F07EGe+im7ngW81oWDLb0LHpKa4D
2B9zN/FWDwIhAL+E4dvPbWWNjGaESOScr5eHTPFtRTUDaZbG4t5skfrK
-----END CERTIFICATE-----
`;
