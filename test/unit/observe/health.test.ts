import { expect } from "chai";
import type { DeliveryStatus, KernelStatus, SidecarStatus } from "../../../src/model/status.js";
import { isReady, judgeHealth } from "../../../src/observe/health.js";
import { DELIVERY, HEALTHY, KERNEL } from "../../support/status.js";

function withKernel(change: Partial<KernelStatus>): SidecarStatus {
  return { ...HEALTHY, kernel: { ...KERNEL, ...change } };
}

function withDelivery(change: Partial<DeliveryStatus>): SidecarStatus {
  return { ...HEALTHY, delivery: { ...DELIVERY, ...change } };
}

const UNPROBED = {
  name: "on_add",
  hook: "tp_btf/add",
  attached: false,
  cause: "refused",
  reason: "EPERM",
} as const;
const TROUBLE = { code: "UNAVAILABLE", message: "connection refused", ageMs: 20_000 };

describe("the health", () => {
  it("is ok where everything works", () => {
    expect(judgeHealth(HEALTHY)).to.deep.equal({
      status: "ok",
      problems: [],
      components: { measuring: "ok", delivery: "ok" },
      httpStatus: 200,
    });
  });

  it("is ok without delivery, which is a dry run", () => {
    expect(judgeHealth({ ...HEALTHY, delivery: undefined }).status).to.equal("ok");
  });

  const cases: readonly {
    title: string;
    status: SidecarStatus;
    expected: "degraded" | "failing";
    says: RegExp;
  }[] = [
    {
      title: "fails where no probe is attached, and says why",
      status: withKernel({ tier: "none", probes: [UNPROBED] }),
      expected: "failing",
      says: /^nothing is measured: no probe is attached \(on_add: EPERM\); run .*check/,
    },
    {
      title: "is degraded where one probe of several is missing",
      status: withKernel({ probes: [...KERNEL.probes, UNPROBED] }),
      expected: "degraded",
      says: /^probe on_add \(tp_btf\/add\) is not attached: EPERM;/,
    },
    {
      title: "is degraded while no process of the target runs",
      status: withKernel({ targets: [] }),
      expected: "degraded",
      says: /^no process of the target runs; start it/,
    },
    {
      title: "is degraded where events were missed",
      status: { ...withKernel({ eventsMissed: 9 }), recent: { ...HEALTHY.recent, eventsMissed: 3 } },
      expected: "degraded",
      says: /^3 kernel events could not be counted/,
    },
    {
      title: "fails where the ticks stopped",
      status: { ...HEALTHY, lastTickAgeMs: 50_001 },
      expected: "failing",
      says: /^no tick for 50 s/,
    },
    {
      title: "is degraded while BanyanDB is in trouble",
      status: withDelivery({ trouble: TROUBLE }),
      expected: "degraded",
      says: /^BanyanDB is in trouble \(UNAVAILABLE: connection refused, for 20 s\); .*127\.0\.0\.1:17912/,
    },
    {
      title: "fails where nothing was delivered for five intervals",
      status: withDelivery({ trouble: TROUBLE, lastWrittenAgeMs: 50_001 }),
      expected: "failing",
      says: /^nothing was delivered for 50 s \(UNAVAILABLE: connection refused, for 20 s\); check banyandb.endpoints/,
    },
    {
      title: "fails where nothing was ever delivered since five intervals",
      status: withDelivery({ lastWrittenAgeMs: undefined }),
      expected: "failing",
      says: /^nothing was delivered for 60 s \(no answer yet\)/,
    },
    {
      title: "fails where the schema conflicts, and shows the difference",
      status: withDelivery({ schema: { state: "conflict", diff: ["page_cache.reads: FLOAT, not INT"] } }),
      expected: "failing",
      says: /page_cache\.reads: FLOAT, not INT; choose another banyandb\.group/,
    },
    {
      title: "is degraded where points were refused",
      status: { ...HEALTHY, recent: { ...HEALTHY.recent, rejected: 2 } },
      expected: "degraded",
      says: /^BanyanDB refused 2 points/,
    },
    {
      title: "is degraded where points were given up",
      status: { ...HEALTHY, recent: { ...HEALTHY.recent, dropped: 5 } },
      expected: "degraded",
      says: /^5 points were given up .*queue\.max_bytes/,
    },
  ];
  for (const { title, status, expected, says } of cases) {
    it(title, () => {
      const health = judgeHealth(status);
      expect(health.status).to.equal(expected);
      expect(health.httpStatus).to.equal(expected === "failing" ? 503 : 200);
      expect(health.problems).to.have.length(1);
      expect(health.problems[0]).to.match(says);
    });
  }

  it("is not failing yet at exactly five intervals", () => {
    const status = withDelivery({ lastWrittenAgeMs: 50_000 });
    expect(judgeHealth({ ...status, lastTickAgeMs: 50_000 }).status).to.equal("ok");
  });

  it("has patience for five seconds where the interval is tiny", () => {
    const quick = { ...withDelivery({ lastWrittenAgeMs: 5000 }), intervalMs: 10 };
    expect(judgeHealth(quick).status).to.equal("ok");
    expect(judgeHealth({ ...quick, delivery: { ...DELIVERY, lastWrittenAgeMs: 5001 } }).status).to.equal(
      "failing",
    );
  });

  it("forgets what was lost, once it is long ago", () => {
    const lost = { ...DELIVERY.points, rejected: 7, dropped: 7 };
    const status = { ...withKernel({ eventsMissed: 7 }), delivery: { ...DELIVERY, points: lost } };
    expect(judgeHealth(status).status).to.equal("ok");
  });

  it("says that the clock holds ticks back, and fails once nothing was delivered for long", () => {
    const held = { state: "held", reason: "the wall clock is 30 d ahead of that of BanyanDB" } as const;
    const young = judgeHealth(withDelivery({ clock: held }));
    expect(young.status).to.equal("degraded");
    expect(young.problems[0]).to.match(
      /^nothing is written: the wall clock is 30 d ahead .*; look after the clock/,
    );
    const old = judgeHealth(withDelivery({ clock: held, lastWrittenAgeMs: 50_001 }));
    expect(old.status).to.equal("failing");
    expect(old.problems).to.have.length(1);
  });

  it("tells which component is in which state", () => {
    const { components } = judgeHealth({ ...withKernel({ targets: [] }), delivery: DELIVERY });
    expect(components).to.deep.equal({ measuring: "degraded", delivery: "ok" });
  });

  it("names all problems at once", () => {
    const status = {
      ...withKernel({ targets: [] }),
      recent: { ...HEALTHY.recent, eventsMissed: 1 },
      delivery: { ...DELIVERY, trouble: TROUBLE },
    };
    expect(judgeHealth(status).problems).to.have.length(3);
  });
});

describe("readiness", () => {
  it("is that a probe is attached, whatever BanyanDB does", () => {
    expect(isReady(withDelivery({ trouble: TROUBLE, lastWrittenTimestampMs: undefined }))).to.equal(true);
    expect(isReady(withKernel({ probes: [UNPROBED] }))).to.equal(false);
    expect(isReady(withKernel({ probes: [] }))).to.equal(false);
    expect(isReady(withKernel({ tier: "procfs", probes: [UNPROBED] }))).to.equal(true);
  });
});
