/**
 * Takes out of what is counted what was taken before. A collector that begins at 0 gives everything that the
 * kernel ever counted; what ticks of earlier processes have taken of that is a debt, which the counts pay first. So
 * nothing is taken twice, though a number that two counters make together may for a moment be smaller than it was.
 */
import type { Taken } from "./journal.js";
import { seriesKey, type Sample } from "./tick.js";

/** Returns the function that all samples of all ticks go through, in their order. */
export function payOff(taken: Taken): (samples: readonly Sample[]) => Sample[] {
  /** By series: what is still owed of each source; undefined when all is paid. */
  const debts = new Map<string, bigint[] | undefined>();

  const debtOf = (sample: Sample): bigint[] | undefined => {
    const key = seriesKey(sample);
    if (!debts.has(key)) debts.set(key, taken(sample));
    return debts.get(key);
  };

  return (samples) =>
    samples.map((sample) => {
      const debt = debtOf(sample);
      if (!debt) return sample;
      const values = sample.values.map((value, i) => {
        const owed = debt[i] ?? 0n;
        if (owed === 0n || Number.isNaN(value)) return value;
        const left = BigInt(value) - owed;
        debt[i] = left < 0n ? -left : 0n;
        return left < 0n ? 0 : Number(left);
      });
      if (debt.every((owed) => owed === 0n)) debts.set(seriesKey(sample), undefined);
      return { ...sample, values };
    });
}
