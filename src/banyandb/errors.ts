/** The one error class of this layer. */

export interface BanyanErrorDetails {
  /** Name of a gRPC code, of a status of the write call, or SCHEMA_CONFLICT. */
  readonly code: string;
  /** What was tried, such as "write" or the method of a registry. */
  readonly operation: string;
  /** On what: an address, a group or a measure. */
  readonly object: string;
  /** What the other side said. */
  readonly detail?: string;
  readonly cause?: unknown;
}

/** Text of a server may be of any length; this much of it says what is wrong. */
const MAX_DETAIL_LENGTH = 300;

/** Something that BanyanDB, or the way to it, refused. */
export class BanyanError extends Error {
  readonly code: string;
  readonly operation: string;
  readonly object: string;
  /** Empty where the other side said nothing. */
  readonly detail: string;

  constructor({ code, operation, object, detail = "", cause }: BanyanErrorDetails) {
    const said = detail.length > MAX_DETAIL_LENGTH ? `${detail.slice(0, MAX_DETAIL_LENGTH)}…` : detail;
    super(`${operation} ${object} failed: ${code}${said === "" ? "" : ` (${said})`}`, { cause });
    this.name = "BanyanError";
    this.code = code;
    this.operation = operation;
    this.object = object;
    this.detail = said;
  }

  /** Makes a BanyanError of whatever was thrown; one that is none already is a bug, and gets INTERNAL. */
  static from(thrown: unknown, operation: string, object: string): BanyanError {
    if (thrown instanceof BanyanError) return thrown;
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    return new BanyanError({ code: "INTERNAL", operation, object, detail, cause: thrown });
  }
}
