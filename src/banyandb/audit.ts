/**
 * The audit: whether what BanyanDB acknowledged is stored. An acknowledgement only says "admitted": a server with a
 * full disk acknowledges and stores nothing, and one that was replaced behind a proxy has forgotten. Opt-in, since
 * every row is read once more.
 */
import type { GroupSpec, MeasureSpec } from "../model/measure.js";
import { seriesKey, type Identity, type Sample } from "../model/tick.js";
import type { BatchPoint, TickQueue } from "./queue.js";
import { readBack } from "./read-back.js";
import { ABSENT_TAG } from "./rows.js";
import type { Transport } from "./transport.js";

export interface AuditParts {
  readonly queue: TickQueue;
  readonly transport: Transport;
  readonly group: string;
  readonly groupSpec: GroupSpec;
  /** Of samples that have none of their own. */
  readonly identity: Identity;
}

export interface Audit {
  /** When there is something to ask; undefined where nothing waits for it. */
  dueAtMs(): number | undefined;
  /**
   * Asks once; returns how many points were acknowledged and are not stored (they are due again).
   * @throws BanyanError
   */
  run(nowMs: number): Promise<number>;
}

/** Least time between two audits: one query per measure and target each. */
const GAP_MS = 10_000;
/** Fresh rows wait meanwhile. */
const DEADLINE_MS = 5_000;
/** Of one audit: a page of an answer (read-back.ts). */
const MAX_POINTS = 1000;

export function createAudit({ queue, transport, group, groupSpec, identity: own }: AuditParts): Audit {
  let lastMs = Number.NEGATIVE_INFINITY;

  /** Versions of the stored rows of a measure and target, by series and timestamp. */
  const versions = async (
    measure: MeasureSpec,
    identity: Identity | undefined,
    points: readonly BatchPoint[],
  ): Promise<[string, bigint][]> => {
    const times = points.map(({ tick }) => tick.timestampMs);
    const { rows } = await readBack({
      transport,
      group,
      groupSpec,
      measure,
      identity: identity ?? own,
      fromMs: Math.min(...times),
      toMs: Math.max(...times),
      deadlineMs: DEADLINE_MS,
    });
    return rows.map(({ timestampMs, tags, version }) => [
      rowKey(
        timestampMs,
        { measure, identity },
        measure.tags.map(({ name }) => tags[name] ?? ABSENT_TAG),
      ),
      version,
    ]);
  };

  return {
    dueAtMs: () => (queue.toAudit(1).length === 0 ? undefined : lastMs + GAP_MS),
    async run(nowMs) {
      lastMs = nowMs;
      const points = queue.toAudit(MAX_POINTS);
      const stored = new Map<string, bigint>();
      for (const { measure, identity, asked } of byMeasureAndTarget(points)) {
        for (const [row, version] of await versions(measure, identity, asked)) stored.set(row, version);
      }
      return queue.audited(points, ({ tick, sample }) => {
        const tags = sample.tags.map((tag) => (tag === "" ? ABSENT_TAG : tag));
        const version = stored.get(rowKey(tick.timestampMs, sample, tags));
        // A greater one has won over ours, and would again.
        return version !== undefined && version >= tick.version;
      });
    },
  };
}

interface Question extends Pick<Sample, "measure" | "identity"> {
  readonly asked: BatchPoint[];
}

/** What one query can ask for. */
function byMeasureAndTarget(points: readonly BatchPoint[]): Iterable<Question> {
  const questions = new Map<string, Question>();
  for (const point of points) {
    const { measure, identity } = point.sample;
    const key = seriesKey({ measure, identity, tags: [] });
    const known = questions.get(key);
    if (known) known.asked.push(point);
    else questions.set(key, { measure, identity, asked: [point] });
  }
  return questions.values();
}

function rowKey(
  timestampMs: number,
  { measure, identity }: Pick<Sample, "measure" | "identity">,
  tags: readonly string[],
): string {
  return `${timestampMs}\u0000${seriesKey({ measure, identity, tags })}`;
}
