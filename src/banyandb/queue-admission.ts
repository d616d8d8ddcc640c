/** What may be sent while the journal, which notes it first, has little room. Pure. */
import type { TickJournal } from "../model/journal.js";
import { entriesOf, isDue, isQuiet, type Entry, type Place } from "./queue-entry.js";
import type { QueueStore } from "./queue-store.js";

export interface Admission {
  isAdmitted(entry: Entry | undefined): boolean;
  /**
   * When something may be sent although nothing new is admitted: what is noted already and due, at once; or something
   * again, when the first window of `windowMs` ends. Undefined where there is neither.
   */
  proofAtMs(nowMs: number, windowMs: number): number | undefined;
  /**
   * These points, as far as there is room. Where there is none, an entry that is noted already: the answer to that
   * proves that the server lives on, which is what makes room.
   */
  admit(places: readonly Place[], fill: (from: readonly Entry[]) => readonly Place[]): readonly Place[];
}

/** Without a journal all is admitted. */
export function createAdmission({ entries, move }: QueueStore, journal: TickJournal | undefined): Admission {
  const noted = (): Entry | undefined => entries.find((entry) => entry.attempted && isDue(entry));
  const waitingForWindow = (): Entry[] => entries.filter((entry) => isQuiet(entry) && !entry.settled);

  return {
    isAdmitted: (entry) => journal === undefined || entry === undefined || journal.admit([entry.tick]) > 0,
    proofAtMs(nowMs, windowMs) {
      if (noted()) return nowMs;
      const waiting = waitingForWindow();
      if (waiting.length === 0) return undefined;
      return Math.min(...waiting.map(({ acknowledgedMs }) => acknowledgedMs + windowMs));
    },
    admit(places, fill) {
      if (!journal) return places;
      const batch = entriesOf(places);
      const count = journal.admit(batch.map(({ tick }) => tick));
      if (count === batch.length) return places;
      if (count > 0) {
        const allowed = new Set(batch.slice(0, count));
        return places.filter(({ entry }) => allowed.has(entry));
      }
      const again = noted() ?? waitingForWindow()[0];
      if (!again) return [];
      again.states.forEach((state, index) => {
        if (state === "written") move({ entry: again, index }, "again");
      });
      return fill([again]);
    },
  };
}
