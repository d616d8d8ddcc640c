import { expect } from "chai";
import { judgeClock, span, type Suspect, type Witnesses } from "../../../src/banyandb/clock-guard.js";

const NOW_MS = Date.UTC(2030, 0, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const TTL_MS = 7 * DAY_MS;

describe("judging the wall clock", () => {
  const cases: readonly {
    title: string;
    suspect: Partial<Suspect>;
    witnesses?: Partial<Witnesses>;
    says?: RegExp;
  }[] = [
    { title: "trusts one that server and rows agree with", suspect: {} },
    { title: "trusts one where the group has no rows", suspect: {}, witnesses: { newestMs: undefined } },
    {
      title: "trusts one that the rows agree with, whatever the server's own clock says",
      suspect: {},
      witnesses: { serverMs: NOW_MS - 8 * HOUR_MS },
    },
    {
      title: "trusts one after a weekend without rows, where the server agrees",
      suspect: {},
      witnesses: { newestMs: NOW_MS - 3 * DAY_MS },
    },
    {
      title: "trusts one where somebody wrote rows of the future, where the server agrees",
      suspect: {},
      witnesses: { newestMs: NOW_MS + 30 * DAY_MS },
    },
    {
      title: "refuses one that is 30 days ahead of server and rows",
      suspect: { wallMs: NOW_MS + 30 * DAY_MS },
      says: /^the wall clock is 30 d ahead of that of BanyanDB$/,
    },
    {
      title: "refuses one that is 30 days ahead of the server of an empty group",
      suspect: { wallMs: NOW_MS + 30 * DAY_MS },
      witnesses: { newestMs: undefined },
      says: /30 d ahead/,
    },
    {
      title: "refuses one that is 2 hours behind",
      suspect: { wallMs: NOW_MS - 2 * HOUR_MS },
      says: /^the wall clock is 2 h behind of that of BanyanDB$/,
    },
    {
      title: "refuses one that would expire every row, even where the server has the same clock",
      suspect: { wallMs: NOW_MS + 30 * DAY_MS },
      witnesses: { serverMs: NOW_MS + 30 * DAY_MS },
      says: /^the newest row of the group is 30 d old, which is more than it is kept; if that is true, /,
    },
    {
      title: "refuses one that differs from the rows where the server does not tell the time",
      suspect: { wallMs: NOW_MS + 2 * HOUR_MS },
      witnesses: { serverMs: undefined },
      says: /^the wall clock is 2 h ahead of the newest row/,
    },
    {
      title: "refuses a step of an hour that leads away from the server",
      suspect: { wallMs: NOW_MS + HOUR_MS, expectedMs: NOW_MS },
      says: /^the wall clock was set 60 min ahead, away from that of BanyanDB; restart /,
    },
    {
      title: "refuses a step of 10 minutes backwards that leads away from the server",
      suspect: { wallMs: NOW_MS - 10 * MINUTE_MS, expectedMs: NOW_MS },
      says: /set 10 min behind/,
    },
    {
      title: "trusts a step that leads to the server's clock",
      suspect: { expectedMs: NOW_MS - 50 * MINUTE_MS },
    },
    {
      title: "trusts a step that leads nearer to the server's clock, if not quite to it",
      suspect: { wallMs: NOW_MS + 20 * MINUTE_MS, expectedMs: NOW_MS + 50 * MINUTE_MS },
    },
    {
      title: "judges a step by the rows where the server does not tell the time",
      suspect: { wallMs: NOW_MS + 2 * HOUR_MS, expectedMs: NOW_MS },
      witnesses: { serverMs: undefined },
      says: /away from/,
    },
  ];
  for (const { title, suspect, witnesses, says } of cases) {
    it(title, () => {
      const reason = judgeClock(
        { wallMs: NOW_MS, expectedMs: undefined, ...suspect },
        { serverMs: NOW_MS, newestMs: NOW_MS - 10_000, ttlMs: TTL_MS, ...witnesses },
      );
      if (says) expect(reason).to.match(says);
      else expect(reason).to.equal(undefined);
    });
  }

  it("writes spans of time as people do", () => {
    expect([999, 90_000, 7_200_000, 30 * DAY_MS].map(span)).to.deep.equal(["1 s", "90 s", "2 h", "30 d"]);
  });
});
