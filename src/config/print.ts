/** The effective configuration as a YAML file, each value with its source, secrets masked. */
import { Document, Scalar } from "yaml";
import type { WatchedTarget } from "./config.js";
import type { LoadedConfig } from "./load.js";
import { settingOf } from "./schema.js";

/** Stands for a secret that is set. */
const MASK = "********";

/** The configuration as YAML; with the secrets filled in it can be used as a file. */
export function maskedConfig({ values, listed, config }: LoadedConfig): string {
  const document = new Document({});
  const shown = listed ? values.filter(({ key }) => !key.startsWith("target.")) : values;
  for (const { key, text, source } of shown) {
    const { sensitive } = settingOf(key);
    const scalar = new Scalar(text === undefined ? null : sensitive === true ? MASK : plain(text));
    scalar.comment = ` ${source}`;
    document.setIn(key.split("."), scalar);
  }
  if (listed) document.set("targets", config.targets.map(asWritten));
  return document.toString({ lineWidth: 0 });
}

/** An item of the list as a file has it. */
function asWritten({ select, node }: WatchedTarget): object {
  const { name, command, cgroup, pid } = select;
  return {
    ...(name !== "" && { name }),
    ...(command && { command }),
    ...(cgroup && { cgroup }),
    ...(pid && { pid }),
    node,
  };
}

/** Numbers and switches without quotes. */
function plain(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
