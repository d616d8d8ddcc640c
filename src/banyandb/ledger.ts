/**
 * The books of the queue: what became of every point and of every summed source. Two laws hold at any
 * instant, and tests assert them: points: collected = written + rejected + coalesced + dropped + queued + in
 * flight; sources: taken = written + rejected + dropped + held. Pure.
 */
import type { MeasureSpec } from "../model/measure.js";
import { REJECT_REASONS, type RejectReason } from "./outcome.js";
import type { Sample } from "../model/tick.js";
import { zeroes } from "../model/zeroes.js";

/** Where the counts of a sample went, or came from. */
export type Account = "taken" | "written" | "rejected" | "dropped";

/** Sums by `<measure>.<source>`, for the sources that are summed. */
export type SourceSums = Readonly<Record<string, number>>;

/** overflow: the queue was full, and what could be merged was. age: older than `queue.max_age`. */
export type DropReason = "overflow" | "age";
export const DROP_REASONS: readonly DropReason[] = ["overflow", "age"];

export interface Ledger {
  readonly points: Record<"collected" | "written" | "rejected" | "coalesced" | "dropped" | "resent", number>;
  /** `points.rejected` and `points.dropped`, by reason. */
  readonly rejectedBy: Record<RejectReason, number>;
  readonly droppedBy: Record<DropReason, number>;
  /** Books the counts of a sample. */
  book(account: Account, sample: Sample): void;
  sums(account: Account): SourceSums;
}

export function createLedger(): Ledger {
  const accounts: Record<Account, SumTable> = {
    taken: createSumTable(),
    written: createSumTable(),
    rejected: createSumTable(),
    dropped: createSumTable(),
  };
  return {
    points: { collected: 0, written: 0, rejected: 0, coalesced: 0, dropped: 0, resent: 0 },
    rejectedBy: zeroes(REJECT_REASONS),
    droppedBy: zeroes(DROP_REASONS),
    book(account, sample) {
      accounts[account].add(sample);
    },
    sums: (account) => accounts[account].read(),
  };
}

/** Adds up samples by measure and source. */
export interface SumTable {
  add(sample: Sample): void;
  read(): SourceSums;
}

export function createSumTable(): SumTable {
  const byMeasure = new Map<MeasureSpec, Float64Array>();
  return {
    add({ measure, values }) {
      let sums = byMeasure.get(measure);
      if (sums === undefined) byMeasure.set(measure, (sums = new Float64Array(measure.sources.length)));
      for (let i = 0; i < sums.length; i++) {
        const value = values[i] ?? Number.NaN;
        if (!Number.isNaN(value)) sums[i] = (sums[i] ?? 0) + value;
      }
    },
    read() {
      const result: Record<string, number> = {};
      for (const [measure, sums] of byMeasure) {
        measure.sources.forEach(({ name, merge }, i) => {
          if (merge === "sum") result[`${measure.name}.${name}`] = sums[i] ?? 0;
        });
      }
      return result;
    },
  };
}
