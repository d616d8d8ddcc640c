import { expect } from "chai";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownUserIds, readGuardedFile } from "../../../src/config/guarded-file.js";
import { readSecrets, type Secrets } from "../../../src/config/secrets.js";
import { CERTIFICATE, createAuthority } from "../../support/certificates.js";

describe("files of secrets", () => {
  let folder: string;
  const own = ownUserIds({});

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "sidecar-secrets-"));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  function password(text: string, mode = 0o600): Secrets {
    const path = join(folder, "password");
    writeFileSync(path, text);
    chmodSync(path, mode);
    return readSecrets({ passwordFile: path }, readGuardedFile, own);
  }
  function authorities(text: string): Secrets {
    const path = join(folder, "ca.pem");
    writeFileSync(path, text);
    return readSecrets({ caFile: path }, readGuardedFile, own);
  }

  it("give nothing where none is named", () => {
    const { problems, ...values } = readSecrets({}, readGuardedFile, own);
    expect(Object.values(values)).to.deep.equal([undefined, undefined, undefined, undefined]);
    expect(problems).to.deep.equal([]);
  });

  it("give the password without the end of its line, and with its blanks", () => {
    expect(password("hunter 2 \n")).to.deep.include({ password: "hunter 2 ", problems: [] });
    expect(password("hunter2\r\n").password).to.equal("hunter2");
  });

  for (const mode of [0o640, 0o604, 0o620, 0o602]) {
    it(`are refused with mode ${mode.toString(8)}`, () => {
      const [problem] = password("hunter2", mode).problems;
      expect(problem?.key).to.equal("banyandb.password_file");
      expect(problem?.message).to.contain(`mode 0${mode.toString(8)}`);
    });
  }

  for (const [what, text] of [
    ["no line", ""],
    ["two lines", "hunter2\nhunter2\n"],
    ["what gRPC cannot carry", "hünter2"],
  ] as const) {
    it(`are refused with ${what}, without showing it`, () => {
      const { problems } = password(text);
      expect(problems).to.have.length(1);
      expect(problems[0]?.message).to.match(/must hold 1 to 256 printable ASCII characters, on one line$/);
      expect(problems[0]?.message).to.not.match(/h.nter/);
    });
  }

  it("are refused where somebody else owns them, the authorities too, and where others may write those", () => {
    const files = { passwordFile: "password", caFile: "ca.pem" };
    const read = (ownerId: number, mode: number): readonly string[] =>
      readSecrets(
        files,
        (path) => ({
          text: path === "ca.pem" ? CERTIFICATE : "hunter2",
          ownerId,
          mode: path === "ca.pem" ? mode : 0o600,
        }),
        [1000],
      ).problems.map(({ message }) => message);
    expect(read(1000, 0o644)).to.deep.equal([]);
    expect(read(0, 0o664)).to.deep.equal([]);
    expect(read(1001, 0o644)).to.have.length(2);
    for (const problem of read(1001, 0o644)) expect(problem).to.contain("owned by user 1001");
    expect(read(1000, 0o646)).to.deep.equal(["ca.pem: others may write it (mode 0646): chmod o-w"]);
  });

  it("are refused where they are missing, with name and reason", () => {
    const files = { passwordFile: join(folder, "none"), caFile: join(folder, "none") };
    const { problems } = readSecrets(files, readGuardedFile, own);
    expect(problems.map(({ key }) => key)).to.deep.equal(["banyandb.password_file", "banyandb.tls.ca_file"]);
    for (const { message } of problems) expect(message).to.match(/none cannot be read: ENOENT$/);
  });

  it("give the authorities, and refuse half a certificate", () => {
    expect(authorities(CERTIFICATE)).to.deep.include({ ca: CERTIFICATE, problems: [] });
    expect(authorities(CERTIFICATE.slice(0, 300)).problems[0]?.message).to.match(
      /must hold certificates in PEM$/,
    );
  });
});

describe("certificate and key of the HTTP endpoint", () => {
  const { certificate, key } = createAuthority();
  const other = createAuthority();

  function read(cert: string, keyText: string, mode = 0o600): Secrets {
    return readSecrets(
      { certFile: "cert", keyFile: "key" },
      (path) => ({
        text: path === "cert" ? cert : keyText,
        ownerId: 0,
        mode: path === "cert" ? 0o644 : mode,
      }),
      [],
    );
  }

  it("are given where they fit", () => {
    expect(read(certificate, key)).to.deep.include({ cert: certificate, key, problems: [] });
  });

  it("are refused where they do not fit, or are half written, without showing the key", () => {
    for (const [what, { problems }] of [
      ["it is not the key of http.tls.cert_file", read(certificate, other.key)],
      ["it must hold a private key in PEM, without a pass phrase", read(certificate, key.slice(0, 60))],
      ["it must hold certificates in PEM", read(certificate.slice(0, 60), key)],
    ] as const) {
      expect(problems.map(({ message }) => message.split(": ")[1])).to.deep.equal([what]);
    }
  });

  it("are refused where others may read the key", () => {
    const { problems } = read(certificate, key, 0o640);
    expect(problems.map((problem) => problem.key)).to.deep.equal(["http.tls.key_file"]);
    expect(problems[0]?.message).to.contain("mode 0640");
  });
});

describe("the users that may own a file", () => {
  it("are the one of the process and the one who called sudo", () => {
    const id = process.geteuid?.() ?? 0;
    expect(ownUserIds({})).to.deep.equal([id]);
    expect(ownUserIds({ SUDO_UID: "1234" })).to.deep.equal([id, 1234]);
    expect(ownUserIds({ SUDO_UID: "x" })).to.deep.equal([id]);
  });
});
