/**
 * Default, file, environment and flags, each over the one before, become one frozen configuration. Every
 * problem of every source is reported at once.
 */
import convict from "convict";
import { resolveNodeId } from "../model/identity.js";
import type { Config, HttpTlsConfig, WatchedTarget } from "./config.js";
import { parseConfigFile, type Written, type WrittenTarget } from "./file.js";
import { changeableByOthers, unfitForSecrets, type ReadGuarded } from "./guarded-file.js";
import { ConfigError, type ConfigProblem, quoteValue } from "./problems.js";
import {
  claimsToBeOurs,
  environmentName,
  isSettingKey,
  SETTING_KEYS,
  settingOf,
  type SettingKey,
  type SettingValue,
} from "./schema.js";
import { readSecrets, type Secrets } from "./secrets.js";
import { listedTargets, singleTarget } from "./targets.js";

/** One setting of the command line. */
export interface FlagSetting {
  readonly key: string;
  readonly text: string;
  /** The flag as the user knows it, such as --interval or --set interval. */
  readonly flag: string;
}

export interface ConfigInput {
  /** A missing file is an error only where it was named by the user. */
  readonly file: { readonly path: string; readonly named: boolean };
  /** An empty variable counts as not set. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** In the order of the command line; the last one of a key wins. */
  readonly flags: readonly FlagSetting[];
  readonly hostname: string;
  readonly readFile: ReadGuarded;
  /** Users that may own the file, and those that it names. */
  readonly ownIds: readonly number[];
}

/** The value of a key, as it applies, and where it comes from. */
export interface EffectiveValue {
  readonly key: SettingKey;
  /** undefined: not set. A secret is in here as it is. */
  readonly text: string | undefined;
  readonly source: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** In the order of declaration. */
  readonly values: readonly EffectiveValue[];
  /** Whether the targets come from the list of the file, and not from target.* and node.*. */
  readonly listed: boolean;
}

const DAY_MS = 86_400_000;

/** What convict holds for a text that means nothing: the problem is reported with all the others. */
const UNREADABLE = Symbol("unreadable");

type Values = { readonly [K in SettingKey]: SettingValue<K> };
type Layer = ReadonlyMap<SettingKey, Written>;

interface FileLayer {
  readonly values: Layer;
  readonly targets: readonly WrittenTarget[];
}

/**
 * Loads the configuration.
 * @throws ConfigError with all problems
 */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const problems: ConfigProblem[] = [];
  const { values: file, targets: list } = fileLayer(input, problems);
  const environment = environmentLayer(input.environment, problems);
  const flags = flagLayer(input.flags, problems);

  const merged = merge(file, environment, flags);
  const writtenOf = (key: SettingKey): Written | undefined =>
    flags.get(key) ?? environment.get(key) ?? file.get(key);
  const bad = new Set(SETTING_KEYS.filter((key) => isBad(key, merged.get(key))));
  problems.push(...[...bad].map((key) => badValue(key, writtenOf(key))));
  const values = Object.fromEntries(merged) as Values;
  const sourceOf = (key: SettingKey): string => writtenOf(key)?.source ?? "default";
  problems.push(...contradictions(values, bad, sourceOf));
  const secrets = namedFiles(values, bad, input);
  for (const problem of secrets.problems) {
    const source = isSettingKey(problem.key ?? "") ? sourceOf(problem.key as SettingKey) : "default";
    problems.push({ ...problem, source });
  }
  const targets = targetsOf(list, values, input.hostname, (key) => writtenOf(key)?.source, problems);
  if (problems.length > 0) throw new ConfigError(problems);

  const config = toConfig(values, secrets, targets, input.hostname);
  const singleId = singleTarget(values, input.hostname).node.id;
  const effective = SETTING_KEYS.map((key): EffectiveValue => {
    const value = key === "node.id" ? (values["node.id"] ?? singleId) : merged.get(key);
    const text = value === null ? undefined : settingOf(key).format.show(value);
    return { key, text, source: writtenOf(key)?.source ?? "default" };
  });
  return { config, values: effective, listed: list.length > 0 };
}

function targetsOf(
  list: readonly WrittenTarget[],
  values: Values,
  hostname: string,
  sourceOf: (key: SettingKey) => string | undefined,
  problems: ConfigProblem[],
): readonly WatchedTarget[] {
  if (list.length === 0) return [singleTarget(values, hostname)];
  const listed = listedTargets(list, values, hostname, sourceOf);
  problems.push(...listed.problems);
  return listed.targets;
}

/** What the files say that the settings name; nothing of those whose name is bad. */
function namedFiles(values: Values, bad: ReadonlySet<SettingKey>, input: ConfigInput): Secrets {
  const named = (
    key: "banyandb.password_file" | "banyandb.tls.ca_file" | "http.tls.cert_file" | "http.tls.key_file",
  ): string | undefined => (bad.has(key) ? undefined : (values[key] ?? undefined));
  const files = {
    passwordFile: named("banyandb.password_file"),
    caFile: named("banyandb.tls.ca_file"),
    certFile: named("http.tls.cert_file"),
    keyFile: named("http.tls.key_file"),
  };
  return readSecrets(files, input.readFile, input.ownIds);
}

function fileLayer({ file, readFile, ownIds }: ConfigInput, problems: ConfigProblem[]): FileLayer {
  let found: ReturnType<ReadGuarded>;
  try {
    found = readFile(file.path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" || file.named) {
      problems.push({
        key: undefined,
        source: `file ${file.path}`,
        message: `cannot be read: ${code ?? message}`,
      });
    }
    return { values: new Map(), targets: [] };
  }
  const content = parseConfigFile(file.path, found.text);
  problems.push(...content.problems);
  const holdsSecret = [...content.values].some(
    ([key, { text }]) => settingOf(key).sensitive === true && text !== null,
  );
  const unsafe = (holdsSecret ? unfitForSecrets : changeableByOthers)(found, ownIds);
  if (unsafe !== undefined) {
    problems.push({ key: undefined, source: `file ${file.path}`, message: unsafe });
  }
  return content;
}

function environmentLayer(environment: ConfigInput["environment"], problems: ConfigProblem[]): Layer {
  const keys = new Map(SETTING_KEYS.map((key) => [environmentName(key), key]));
  const layer = new Map<SettingKey, Written>();
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || text === "" || !claimsToBeOurs(variable)) continue;
    const key = keys.get(variable);
    const source = `environment ${variable}`;
    if (key) layer.set(key, { text, source });
    else problems.push({ key: undefined, source, message: "no option has this variable" });
  }
  return layer;
}

function flagLayer(flags: readonly FlagSetting[], problems: ConfigProblem[]): Layer {
  const layer = new Map<SettingKey, Written>();
  for (const { key, text, flag } of flags) {
    const source = `flag ${flag}`;
    if (!isSettingKey(key)) {
      problems.push({ key, source, message: `unknown key; known: ${SETTING_KEYS.join(", ")}` });
    } else if (settingOf(key).sensitive === true) {
      const message = `a secret must not be on the command line; use the file or ${environmentName(key)}`;
      problems.push({ key, source, message });
    } else {
      layer.set(key, { text, source });
    }
  }
  return layer;
}

/** Lets convict merge the layers; a text that means nothing becomes UNREADABLE. */
function merge(file: Layer, environment: Layer, flags: Layer): ReadonlyMap<SettingKey, unknown> {
  const declaration: Record<string, object> = {};
  const fileValues: Record<string, object> = {};
  const variables: Record<string, string> = {};
  for (const key of SETTING_KEYS) {
    const { format, doc, default: initial, sensitive } = settingOf(key);
    // convict would read "7x" as the number 7; a format of our own decides instead.
    convict.addFormat({
      name: key,
      validate: () => undefined,
      coerce: (text: string) => format.parse(text) ?? UNREADABLE,
    });
    const env = environmentName(key);
    put(declaration, key, {
      doc,
      env,
      format: key,
      default: initial,
      nullable: initial === null,
      sensitive: sensitive ?? false,
    });
    const inFile = file.get(key);
    if (inFile) put(fileValues, key, inFile.text);
    const variable = environment.get(key)?.text;
    if (variable != null) variables[env] = variable;
  }
  const instance = convict<Record<string, unknown>>(declaration, { env: variables, args: [] });
  instance.load(fileValues);
  for (const [key, { text }] of flags) instance.set(key, text);
  // convict's own validate() would join all errors into one text that names neither file nor line.
  return new Map(SETTING_KEYS.map((key) => [key, instance.get(key)]));
}

/** Sets a dotted key in nested objects. */
function put(into: Record<string, unknown>, key: string, value: unknown): void {
  const names = key.split(".");
  const last = names.pop() ?? key;
  let at = into;
  for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>;
  at[last] = value;
}

/** Whether a text means nothing, or nothing was written where something must be. */
function isBad(key: SettingKey, value: unknown): boolean {
  return value === UNREADABLE || (value === null && settingOf(key).default !== null);
}

function badValue(key: SettingKey, written: Written | undefined): ConfigProblem {
  const { format, sensitive } = settingOf(key);
  const given = written?.text ?? null;
  const shown = given === null ? "no value" : sensitive === true ? "this value" : quoteValue(given);
  return {
    key,
    source: written?.source ?? "default",
    message: `${shown} is not allowed: must be ${format.allowed}`,
  };
}

/** Values that are right by themselves but not together; `bad` ones are left out. */
function contradictions(
  values: Values,
  bad: ReadonlySet<SettingKey>,
  sourceOf: (key: SettingKey) => string,
): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const sound = (...keys: SettingKey[]): boolean => !keys.some((key) => bad.has(key));
  const report = (key: SettingKey, message: string): void => {
    problems.push({ key, source: sourceOf(key), message });
  };

  const segmentDays = values["banyandb.segment_days"];
  const ttlDays = values["banyandb.ttl_days"];
  if (sound("banyandb.segment_days", "banyandb.ttl_days") && segmentDays > ttlDays) {
    report("banyandb.segment_days", `${segmentDays} is more than banyandb.ttl_days, which is ${ttlDays}`);
  }
  const named = values["banyandb.username"] !== null;
  const passwords = (["banyandb.password", "banyandb.password_file"] as const).filter(
    (key) => values[key] !== null,
  );
  if (sound("banyandb.username", "banyandb.password", "banyandb.password_file")) {
    const [password] = passwords;
    if (named && password === undefined) {
      const message = "set without banyandb.password or banyandb.password_file; both or neither";
      report("banyandb.username", message);
    }
    if (!named && password !== undefined) report(password, "set without banyandb.username; both or neither");
    if (passwords.length > 1) report("banyandb.password_file", "set beside banyandb.password; one of them");
  }
  for (const key of ["banyandb.tls.ca_file", "banyandb.tls.server_name"] as const) {
    if (sound("banyandb.tls.enabled", key) && values[key] !== null && !values["banyandb.tls.enabled"])
      report(key, "set while banyandb.tls.enabled is false");
  }
  for (const [key, other] of [
    ["http.tls.cert_file", "http.tls.key_file"],
    ["http.tls.key_file", "http.tls.cert_file"],
  ] as const) {
    if (sound(key, other) && values[key] !== null && values[other] === null)
      report(key, `set without ${other}; both or neither`);
  }
  return problems;
}

function toConfig(
  values: Values,
  secrets: Secrets,
  targets: readonly WatchedTarget[],
  hostname: string,
): Config {
  const listen = values["http.listen"];
  const first = targets[0] ?? singleTarget(values, hostname);
  const config: Config = {
    intervalMs: values.interval,
    node: { ...first.node, id: resolveNodeId(first.node.id, hostname) },
    targets,
    kernel: {
      tier: values["kernel.tier"],
      latency: values["kernel.latency"],
      latencyBuckets: values["kernel.latency_buckets"],
      syscallPrograms: values["kernel.syscall_programs"],
      allowDegraded: values["kernel.allow_degraded"],
      pinPath: values["kernel.pin_path"] ?? undefined,
      orphanTimeoutMs: values["kernel.orphan_timeout"],
    },
    banyandb: {
      endpoints: values["banyandb.endpoints"],
      group: values["banyandb.group"],
      ttlDays: values["banyandb.ttl_days"],
      segmentDays: values["banyandb.segment_days"],
      shards: values["banyandb.shards"],
      username: values["banyandb.username"] ?? undefined,
      password: values["banyandb.password"] ?? secrets.password,
      passwordFile: values["banyandb.password_file"] ?? undefined,
      tls: values["banyandb.tls.enabled"]
        ? {
            caFile: values["banyandb.tls.ca_file"] ?? undefined,
            ca: secrets.ca,
            serverName: values["banyandb.tls.server_name"] ?? undefined,
          }
        : undefined,
    },
    queue: {
      maxBytes: values["queue.max_bytes"],
      maxAgeMs: values["queue.max_age"] ?? values["banyandb.ttl_days"] * DAY_MS,
    },
    delivery: { audit: values["delivery.audit"] },
    http: {
      listen: listen === "off" ? undefined : listen,
      tls: httpTls(values, secrets),
      metricsLabels: values["http.metrics_labels"] ?? {},
    },
    log: { level: values["log.level"] },
  };
  return deepFreeze(config);
}

function httpTls(values: Values, { cert, key }: Secrets): HttpTlsConfig | undefined {
  const { "http.tls.cert_file": certFile, "http.tls.key_file": keyFile } = values;
  if (certFile === null || keyFile === null || cert === undefined || key === undefined) return undefined;
  return { certFile, keyFile, cert, key };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
