/** What must hold at any instant, whatever happens (docs/ARCHITECTURE.md). */
import { expect } from "chai";
import type { Delivery } from "../../src/banyandb/delivery.js";
import type { QueueSums } from "../../src/banyandb/queue.js";

const ACCOUNTS: readonly (keyof QueueSums)[] = ["written", "rejected", "dropped", "held"];

/** Points and sources are conserved, and the queue keeps its bound. */
export function expectLaws(delivery: Delivery): void {
  const { points, queueBytes, queueMaxBytes } = delivery.status();
  const { collected, written, rejected, coalesced, dropped, queued, inFlight } = points;
  const parts = [written, rejected, coalesced, dropped, queued, inFlight];
  const sum = parts.reduce((total, part) => total + part, 0);
  // Called for every event of a day: chai only where something is wrong.
  if (sum !== collected || Math.min(...parts) < 0) expect(points).to.equal("conserved");
  if (queueBytes < 0 || queueBytes > queueMaxBytes) expect(queueBytes).to.be.within(0, queueMaxBytes);
  expectSums(delivery.totals());
}

function expectSums(sums: QueueSums): void {
  for (const [name, taken] of Object.entries(sums.taken)) {
    const sum = ACCOUNTS.reduce((total, account) => total + (sums[account][name] ?? 0), 0);
    if (sum !== taken) expect(sums, name).to.equal("conserved");
  }
}
