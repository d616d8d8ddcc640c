import { Agent, get, request } from "node:http";
import { get as getByTls } from "node:https";
import { connect } from "node:net";
import { expect } from "chai";
import { type HttpEndpoint, HttpListenError, type Page, serveHttp } from "../../src/observe/http.js";
import { createAuthority } from "../support/certificates.js";
import { waitFor } from "../support/wait.js";

const HELLO: Page = { status: 200, contentType: "text/plain", body: "hello" };

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

function ask(port: number, path: string, method = "GET", agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: "127.0.0.1", port, path, method, ...(agent ? { agent } : {}) },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (body += part));
        response.on("end", () => {
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
        });
      },
    );
    call.on("error", reject);
    call.end();
  });
}

describe("the HTTP endpoint", () => {
  let endpoint: HttpEndpoint;

  beforeEach(async () => {
    const pages = {
      "/hello": () => HELLO,
      "/broken": () => {
        throw new Error("page is broken");
      },
    };
    endpoint = await serveHttp({ host: "127.0.0.1", port: 0 }, pages);
  });

  afterEach(() => endpoint.close());

  it("answers GET with the page, whatever the query", async () => {
    const { status, body, headers } = await ask(endpoint.port, "/hello?verbose");
    expect({ status, body }).to.deep.equal({ status: 200, body: "hello" });
    expect(headers["content-type"]).to.equal("text/plain");
  });

  it("answers HEAD with the length and without a body", async () => {
    const { status, body, headers } = await ask(endpoint.port, "/hello", "HEAD");
    expect({ status, body }).to.deep.equal({ status: 200, body: "" });
    expect(headers["content-length"]).to.equal("5");
  });

  it("answers 404 to another path", async () => {
    for (const path of ["/", "/hello/", "/constructor", "/hello%2f.."]) {
      expect((await ask(endpoint.port, path)).status, path).to.equal(404);
    }
  });

  it("answers 405 to another method and names the right ones", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await ask(endpoint.port, "/hello", method);
      expect(status, method).to.equal(405);
      expect(headers["allow"]).to.equal("GET, HEAD");
    }
  });

  it("answers 500 where a page fails, and goes on", async () => {
    expect(await ask(endpoint.port, "/broken")).to.include({ status: 500, body: "page is broken\n" });
    expect((await ask(endpoint.port, "/hello")).status).to.equal(200);
  });

  it("refuses headers that are too long", async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      get(
        { host: "127.0.0.1", port: endpoint.port, path: "/hello", headers: { filler: "x".repeat(20_000) } },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      ).on("error", reject);
    });
    expect(status).to.equal(431);
  });

  it("holds 32 connections and refuses more, until one ends", async () => {
    const sockets = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = connect(endpoint.port, "127.0.0.1");
        // The ones that are refused are reset.
        socket.on("error", () => undefined);
        await new Promise((resolve) => socket.once("connect", resolve));
        return socket;
      }),
    );
    const open = () => sockets.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded);
    for (const socket of sockets) socket.resume();
    await waitFor("the others are closed", () => open().length === 32);
    for (const socket of sockets) socket.destroy();
    await waitFor("it answers again", () =>
      ask(endpoint.port, "/hello").then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
  });

  it("gives up on a request whose headers do not come", async function () {
    this.timeout(15_000);
    const socket = connect(endpoint.port, "127.0.0.1");
    socket.write("GET /hello HTTP/1.1\r\nHost: x\r\n");
    const beganMs = performance.now();
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(answer).to.match(/^HTTP\/1\.1 408 /);
    expect(performance.now() - beganMs).to.be.within(4000, 10_000);
  });

  it("gives up on who asks and does not read the answer", async function () {
    this.timeout(20_000);
    const page: Page = { ...HELLO, body: "x".repeat(16 << 20) };
    const own = await serveHttp({ host: "127.0.0.1", port: 0 }, { "/big": () => page }, undefined, 500);
    try {
      const socket = connect(own.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
      socket.pause();
      await new Promise((resolve) => setTimeout(resolve, 3000));
      let bytes = 0;
      socket.on("data", (chunk) => (bytes += chunk.length)).resume();
      await new Promise((resolve) => socket.once("close", resolve));
      // What the buffers of both sides held; the rest never came.
      expect(bytes).to.be.below(page.body.length);
    } finally {
      await own.close();
    }
  });

  it("ends idle keep-alive connections when it closes", async () => {
    const agent = new Agent({ keepAlive: true });
    await ask(endpoint.port, "/hello", "GET", agent);
    const idle = connect(endpoint.port, "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    const ended = new Promise((resolve) => idle.once("close", resolve));
    await endpoint.close();
    await ended;
    agent.destroy();
  });

  it("says clearly that its port is in use", async () => {
    const listen = { host: "127.0.0.1", port: endpoint.port };
    const error = await serveHttp(listen, {}).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(HttpListenError);
    expect(error).to.include({ code: "EADDRINUSE" });
    expect((error as Error).message).to.equal(
      `listen on HTTP endpoint 127.0.0.1:${endpoint.port} failed: EADDRINUSE; ` +
        "another process has the port, choose another http.listen, or off",
    );
  });
});

describe("the HTTP endpoint with a certificate", () => {
  const issue = () => {
    const authority = createAuthority();
    const { certificate: cert, key } = authority.issue("IP:127.0.0.1");
    return { ca: authority.certificate, cert, key };
  };

  function askByTls(port: number, ca: string): Promise<string> {
    return new Promise((resolve, reject) => {
      getByTls({ host: "127.0.0.1", port, path: "/hello", ca, agent: false }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (body += part));
        response.on("end", () => {
          resolve(body);
        });
      }).on("error", reject);
    });
  }

  it("answers who trusts it, not in plain text, and takes another certificate while it runs", async () => {
    const [first, second] = [issue(), issue()];
    const endpoint = await serveHttp({ host: "127.0.0.1", port: 0 }, { "/hello": () => HELLO }, first);
    try {
      expect(await askByTls(endpoint.port, first.ca)).to.equal("hello");
      const plain = await ask(endpoint.port, "/hello").then(
        () => "answered",
        () => "refused",
      );
      expect(plain).to.equal("refused");
      endpoint.setCertificate(second);
      expect(await askByTls(endpoint.port, second.ca)).to.equal("hello");
      const old = await askByTls(endpoint.port, first.ca).then(
        () => "trusted",
        () => "not trusted",
      );
      expect(old).to.equal("not trusted");
    } finally {
      await endpoint.close();
    }
  });
});
