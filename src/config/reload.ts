/** What a new configuration may change in a program that runs. Pure. */
import type { Config } from "./config.js";
import type { LoadedConfig } from "./load.js";
import { SETTING_KEYS, type SettingKey } from "./schema.js";

/** The other keys take part in what is set up once: identity, probes, schema, lock, listening socket. */
const RELOADABLE: readonly SettingKey[] = [
  "interval",
  "banyandb.endpoints",
  "banyandb.username",
  "banyandb.password",
  "banyandb.password_file",
  "banyandb.tls.enabled",
  "banyandb.tls.ca_file",
  "banyandb.tls.server_name",
  "queue.max_bytes",
  "queue.max_age",
  "delivery.audit",
  "log.level",
];

export interface Reload {
  /** The old configuration with what can be changed. */
  readonly config: Config;
  /** Keys that have another value now. */
  readonly changed: readonly SettingKey[];
  /** Keys whose new value needs a restart. */
  readonly needRestart: readonly (SettingKey | "targets")[];
}

/** Compares by the values as they are written; a secret file that was rewritten is no change of a key. */
export function planReload(running: LoadedConfig, wanted: LoadedConfig): Reload {
  const textOf = ({ values }: LoadedConfig, key: SettingKey): string | undefined =>
    values.find((value) => value.key === key)?.text;
  const differing = SETTING_KEYS.filter((key) => textOf(running, key) !== textOf(wanted, key));
  const { intervalMs, log, banyandb, delivery } = wanted.config;
  const { endpoints, username, password, passwordFile, tls } = banyandb;
  const { maxBytes, maxAgeMs } = wanted.config.queue;
  // Where it is not set it follows the TTL of the group, which needs a restart.
  const isOtherAge = differing.includes("queue.max_age");
  const queue = { maxBytes, maxAgeMs: isOtherAge ? maxAgeMs : running.config.queue.maxAgeMs };
  return {
    config: {
      ...running.config,
      intervalMs,
      queue,
      delivery,
      log,
      banyandb: { ...running.config.banyandb, endpoints, username, password, passwordFile, tls },
    },
    changed: differing.filter((key) => RELOADABLE.includes(key)),
    needRestart: [
      ...differing.filter((key) => !RELOADABLE.includes(key)),
      ...(otherTargets(running, wanted) ? (["targets"] as const) : []),
    ],
  };
}

/** Of the list; the single target has keys that tell. */
function otherTargets(running: LoadedConfig, wanted: LoadedConfig): boolean {
  if (!running.listed && !wanted.listed) return false;
  return JSON.stringify(running.config.targets) !== JSON.stringify(wanted.config.targets);
}
