/** The watched targets: the single one of the settings, or those of the list `targets`. Pure. */
import { IDENTITIES_MAX } from "../model/identity.js";
import type { NodeConfig, WatchedTarget } from "./config.js";
import type { Written, WrittenTarget } from "./file.js";
import { quoteValue, type ConfigProblem } from "./problems.js";
import { settingOf, type SettingKey, type SettingValue } from "./schema.js";

/** The settings that say who is watched and whose rows that gives. */
export type TargetValues = { readonly [K in TargetKey]: SettingValue<K> };
export type TargetKey = Extract<SettingKey, `target.${string}` | `node.${string}`>;

const SELECTORS = ["target.name", "target.command", "target.cgroup", "target.pid"] as const;
const TARGET_KEYS: readonly TargetKey[] = [...SELECTORS, "node.id", "node.cluster", "node.role", "node.type"];

/** gRPC port of BanyanDB. */
const DEFAULT_ID = (hostname: string): string => `${hostname}:17912`;

export function singleTarget(values: TargetValues, hostname: string): WatchedTarget {
  return {
    select: {
      name: values["target.name"],
      command: values["target.command"] ?? undefined,
      cgroup: values["target.cgroup"] ?? undefined,
      pid: values["target.pid"] ?? undefined,
    },
    node: {
      id: values["node.id"] ?? DEFAULT_ID(hostname),
      cluster: values["node.cluster"],
      role: values["node.role"],
      type: values["node.type"],
    },
  };
}

/**
 * The targets of the list; what an item leaves out of `node` comes from the settings node.*.
 * @param sourceOf where a setting was written; undefined for its default
 */
export function listedTargets(
  list: readonly WrittenTarget[],
  values: TargetValues,
  hostname: string,
  sourceOf: (key: SettingKey) => string | undefined,
): { readonly targets: readonly WatchedTarget[]; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const report = (key: string, source: string, message: string): void => {
    problems.push({ key, source, message });
  };
  const targets = list.map((written, i) => {
    const own = { ...values, ...noSelector() };
    for (const key of TARGET_KEYS) {
      const given = written.values.get(key);
      if (given?.text == null) continue;
      const value = settingOf(key).format.parse(given.text);
      if (value === undefined) report(itemKey(i, key), given.source, notAllowed(key, given.text));
      else Object.assign(own, { [key]: value });
    }
    if (!SELECTORS.some((key) => written.values.get(key)?.text != null))
      report(`targets[${i}]`, written.source, "needs one of name, command, cgroup and pid");
    return singleTarget(own, hostname);
  });
  targets.forEach(({ node: { id } }, i) => {
    const earlier = targets.findIndex(({ node }) => node.id === id);
    const at: Written | undefined = list[i]?.values.get("node.id");
    if (earlier < i)
      report(
        itemKey(i, "node.id"),
        at?.source ?? list[i]?.source ?? "",
        `${quoteValue(id)} is that of targets[${earlier}] too`,
      );
  });
  targets.forEach(({ select }, i) => {
    const earlier = targets.findIndex((other) => JSON.stringify(other.select) === JSON.stringify(select));
    if (earlier < i)
      report(`targets[${i}]`, list[i]?.source ?? "", `selects the same processes as targets[${earlier}]`);
  });
  const [last] = list.slice(IDENTITIES_MAX);
  if (last)
    report("targets", last.source, `${list.length} targets; at most ${IDENTITIES_MAX} can be counted apart`);
  for (const key of SELECTORS) {
    const source = sourceOf(key);
    if (source !== undefined) report(key, source, "set beside the list targets; one of them");
  }
  return { targets, problems };
}

/** A name of its own, so that an item selects by what it says alone. */
function noSelector(): Pick<TargetValues, (typeof SELECTORS)[number]> {
  return { "target.name": "", "target.command": null, "target.cgroup": null, "target.pid": null };
}

function itemKey(index: number, key: TargetKey): string {
  return `targets[${index}].${key.replace(/^target\./, "")}`;
}

function notAllowed(key: TargetKey, text: string): string {
  return `${quoteValue(text)} is not allowed: must be ${settingOf(key).format.allowed}`;
}

/** Values of the identity tags of schema/group.json, in their order. */
export function identityTags({ id, cluster, role, type }: NodeConfig): readonly string[] {
  return [id, cluster, role, type];
}
