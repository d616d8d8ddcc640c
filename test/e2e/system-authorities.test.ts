/** TLS to a BanyanDB whose certificate is of an authority that only the system's bundle has, without `ca_file`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { expect } from "chai";
import { startEmbedded, type EmbeddedBanyandb } from "../../src/embedded/server.js";
import { createAuthority } from "../support/certificates.js";
import { runSidecar, type Ended } from "../support/sidecar.js";
import { startTlsProxy, type TlsProxy } from "../support/tls-proxy.js";

describe("the authorities of the system", function () {
  this.timeout(30_000);

  const authority = createAuthority();
  let folder: string;
  let server: EmbeddedBanyandb;
  let proxy: TlsProxy;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "sidecar-authorities-"));
    server = await startEmbedded({ host: "127.0.0.1", port: 0 });
    proxy = await startTlsProxy(server.address, authority.issue("IP:127.0.0.1"));
  });
  after(async () => {
    await proxy.close();
    await server.kill();
    rmSync(folder, { recursive: true });
  });

  function bundle(name: string, ...certificates: readonly string[]): string {
    const file = join(folder, name);
    writeFileSync(file, certificates.join("\n"));
    return file;
  }

  function diff(environment: Readonly<Record<string, string>>): Promise<Ended> {
    const endpoint = ["--banyandb-endpoints", proxy.address, "--banyandb-tls-enabled", "true"];
    return runSidecar(["schema", "diff", ...endpoint], { environment });
  }

  async function expectRefused(environment: Readonly<Record<string, string>>): Promise<void> {
    const { stdout, stderr } = await diff(environment);
    expect(stdout + stderr).to.match(/self-signed certificate|unable to (get|verify)/);
    expect(stdout).not.to.contain("is missing");
  }

  it("are trusted, whoever else is among them", async () => {
    const file = bundle("with.pem", ...rootCertificates.slice(0, 3), authority.certificate);
    const { stdout } = await diff({ SSL_CERT_FILE: file });
    expect(stdout).to.contain("is missing");
  });

  it("are trusted alone", async () => {
    await expectRefused({});
    await expectRefused({ SSL_CERT_FILE: bundle("without.pem", ...rootCertificates.slice(0, 3)) });
    await expectRefused({ SSL_CERT_FILE: join(folder, "nowhere.pem") });
  });
});
