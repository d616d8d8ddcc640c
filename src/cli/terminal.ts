/** What a stream is to a person who may look at it. */
import type { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import type { Context } from "./command.js";

type Environment = Context["environment"];

/** Whether a screen can be drawn there: `dumb` is what editors and logs call themselves. */
export function isTerminal(stream: Writable, environment: Environment): stream is WriteStream {
  return (stream as Partial<WriteStream>).isTTY === true && environment["TERM"] !== "dumb";
}

/** Colours are for terminals, and not where NO_COLOR (https://no-color.org) is set. */
export function wantsColours(stream: Writable, environment: Environment): boolean {
  return isTerminal(stream, environment) && (environment["NO_COLOR"] ?? "") === "";
}
