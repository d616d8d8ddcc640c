/** What the layers need of a log; main hands in the real one. */

/** Values that may stand in a log line. Never an Error object: those of gRPC are kilobytes long. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * Logs a warning at most once per 30 s for each `cause`; the next line that passes says in `suppressed`
   * how many did not.
   */
  throttled(cause: string, message: string, fields?: LogFields): void;
}
