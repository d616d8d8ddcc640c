/** The log: one JSON object per line, written at once or not at all. */
import { Writable } from "node:stream";
import { createLogger, format, transports } from "winston";
import type { Config } from "../config/config.js";
import type { ClockReading } from "../model/clock.js";
import type { Log, LogFields } from "../model/log.js";

export interface LogOptions {
  readonly level: Config["log"]["level"];
  /** Where the lines go, usually standard error. */
  readonly stream: Writable;
  readonly clock: () => ClockReading;
}

/** Shortest time between two lines of one cause. */
const THROTTLE_MS = 30_000;

/** Causes that are remembered; the longest known one is forgotten, and may then speak again too soon. */
const CAUSES_MAX = 200;

/**
 * Bytes that may wait for a reader who is slow. More than that is dropped: a log that waits without bound is
 * how exporters run out of memory (apache/skywalking#13764, winstonjs/winston#1871).
 */
const WAITING_MAX_BYTES = 64 * 1024;

export interface AdjustableLog extends Log {
  /** Least severe lines that are written from now on. */
  setLevel(level: LogOptions["level"]): void;
}

/** Makes the log. Never throws, also when nobody reads the stream any more. */
export function createLog({ level, stream, clock }: LogOptions): AdjustableLog {
  const logger = createLogger({
    level,
    format: format.printf((entry) => JSON.stringify(entry)),
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston 3.19 declares this constructor as a member of the instance
    transports: [new transports.Stream({ stream: droppingWriter(stream), eol: "\n" })],
    exitOnError: false,
  });
  const write = (severity: LogOptions["level"], message: string, fields: LogFields = {}): void => {
    if (!logger.isLevelEnabled(severity)) return;
    const timestamp = new Date(clock().wallMs).toISOString();
    // Spread twice: first for the order of the keys, last because a field must not replace them.
    const head = { timestamp, level: severity, message };
    logger.log({ ...head, ...fields, ...head });
  };
  const mayPass = throttle(() => clock().monotonicMs);
  return {
    setLevel: (wanted) => {
      logger.level = wanted;
    },
    debug: (message, fields) => {
      write("debug", message, fields);
    },
    info: (message, fields) => {
      write("info", message, fields);
    },
    warn: (message, fields) => {
      write("warn", message, fields);
    },
    error: (message, fields) => {
      write("error", message, fields);
    },
    throttled: (cause, message, fields) => {
      const passes = mayPass(cause);
      if (passes) write("warn", message, { cause, ...fields, suppressed: passes.suppressed || undefined });
    },
  };
}

/** Decides whether a cause may speak, and counts how often it could not since it last did. */
function throttle(nowMs: () => number): (cause: string) => { suppressed: number } | undefined {
  const causes = new Map<string, { quietUntilMs: number; suppressed: number }>();
  return (cause) => {
    const now = nowMs();
    const known = causes.get(cause);
    if (known && now < known.quietUntilMs) {
      known.suppressed++;
      return undefined;
    }
    const oldest = causes.keys().next();
    if (!known && causes.size >= CAUSES_MAX && oldest.done !== true) causes.delete(oldest.value);
    causes.set(cause, { quietUntilMs: now + THROTTLE_MS, suppressed: 0 });
    return { suppressed: known?.suppressed ?? 0 };
  };
}

/** Passes lines on while the stream takes them; says how many it did not take once it does again. */
function droppingWriter(stream: Writable): Writable {
  let dropped = 0;
  // A log that nobody reads any more (EPIPE) is no reason to stop measuring.
  stream.on("error", () => undefined);
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      if (stream.destroyed || stream.writableLength > WAITING_MAX_BYTES) {
        dropped++;
      } else {
        if (dropped > 0)
          stream.write(`${JSON.stringify({ level: "warn", message: "log lines dropped", dropped })}\n`);
        dropped = 0;
        stream.write(line);
      }
      done();
    },
  });
}
