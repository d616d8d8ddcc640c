/** How tests write to a BanyanDB. */
import type { BanyandbConfig } from "../../src/config/config.js";

/** Without TLS and account, in a group that is not split. */
export function plainConfig(address: string, group: string): BanyandbConfig {
  return {
    endpoints: [address],
    group,
    ttlDays: 7,
    segmentDays: 1,
    shards: 1,
    username: undefined,
    password: undefined,
  };
}
