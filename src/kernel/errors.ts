/** Errors at the border to the kernel. */

/** What was tried, on what, how the kernel answered, and what may help. */
export class KernelError extends Error {
  /** "EPERM" and the like; "UNKNOWN" where no errno was given. */
  readonly code: string;
  readonly operation: string;
  readonly object: string;
  readonly hint: string | undefined;

  constructor(fields: {
    message: string;
    code: string;
    operation: string;
    object: string;
    hint?: string | undefined;
    cause?: unknown;
  }) {
    super(fields.message, { cause: fields.cause });
    this.name = "KernelError";
    this.code = fields.code;
    this.operation = fields.operation;
    this.object = fields.object;
    this.hint = fields.hint;
  }

  /** Wraps whatever the addon or node:fs threw; `operation` and `object` are used where it names none. */
  static from(thrown: unknown, operation: string, object: string): KernelError {
    if (thrown instanceof KernelError) return thrown;
    const fields: Partial<Record<"code" | "operation" | "object" | "hint", unknown>> =
      typeof thrown === "object" && thrown !== null ? thrown : {};
    const text = (value: unknown, otherwise: string) => (typeof value === "string" ? value : otherwise);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new KernelError({
      message: typeof fields.operation === "string" ? message : `${operation} ${object} failed: ${message}`,
      code: text(fields.code, "UNKNOWN"),
      operation: text(fields.operation, operation),
      object: text(fields.object, object),
      hint: typeof fields.hint === "string" ? fields.hint : undefined,
      cause: thrown,
    });
  }
}
