/** What is known of the server's schema at this moment; asks for it when nothing is. */
import type { Log } from "../model/log.js";
import type { MeasureSpec } from "../model/measure.js";
import type { SchemaStatus } from "../model/status.js";
import type { RowMapping } from "./rows.js";
import { ensureSchema, serverVersion, type SchemaRequest } from "./schema-ensure.js";

export type Mappings = ReadonlyMap<MeasureSpec, RowMapping>;

export interface SchemaKeeper {
  /**
   * The row mappings; asks the server first where they are not known. Undefined where the schema conflicts.
   * @throws BanyanError
   */
  mappings(signal: AbortSignal): Promise<Mappings | undefined>;
  isReady(): boolean;
  /** What was known may be wrong: the connection was lost, or the server says so. */
  forget(): void;
  status(): SchemaStatus;
  version(): string | undefined;
}

export function createSchemaKeeper(
  request: Omit<SchemaRequest, "signal">,
  identity: readonly string[],
  log: Log,
): SchemaKeeper {
  let mappings: Mappings | undefined;
  let status: SchemaStatus = { state: "unknown", diff: [] };
  let version: string | undefined;
  /** Counts `forget`, so that an answer from before one is not taken for one from after it. */
  let epoch = 0;

  return {
    async mappings(signal) {
      if (mappings) return mappings;
      const asked = epoch;
      version = await serverVersion(request.transport, signal);
      const ensured = await ensureSchema({ ...request, signal }, identity);
      if (ensured.state === "conflict") {
        status = { state: "conflict", diff: ensured.diff };
        return undefined;
      }
      for (const change of ensured.changes) log.info("schema changed", { change });
      if (ensured.notes.length > 0)
        log.throttled("schema notes", "schema differs from the configuration", { notes: ensured.notes });
      if (asked === epoch) {
        mappings = ensured.mappings;
        status = { state: "ready", diff: [] };
      }
      return ensured.mappings;
    },
    isReady: () => mappings !== undefined,
    forget() {
      epoch++;
      mappings = undefined;
      // A conflict stays one until the server says otherwise.
      if (status.state === "ready") status = { state: "unknown", diff: [] };
    },
    status: () => status,
    version: () => version,
  };
}
