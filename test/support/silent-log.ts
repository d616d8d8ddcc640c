/** A log for those of whom nobody wants to hear. */
import type { Log } from "../../src/model/log.js";

const ignore = (): void => undefined;

export const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore, throttled: ignore };
