/** The identities that counts are kept apart for: those of the configuration, and those found at run time. Pure. */
import type { NodeConfig, WatchedTarget } from "../config/config.js";
import { isTemplate, resolveNodeId } from "../model/identity.js";

export interface Identities {
  /**
   * Number of the identity of a process of a target; a new one where its node id is new. Undefined where the host
   * name that it needs is empty, or no number is left.
   */
  numberOf(target: number, hostName: string): number | undefined;
  /** By number; a number is never given to another, since the counts of it stay in the kernel. */
  readonly known: () => readonly NodeConfig[];
  /** Node ids for which no number was left. */
  readonly refused: () => readonly string[];
}

/** @param saved those that have their numbers already */
export function createIdentities(
  targets: readonly WatchedTarget[],
  max: number,
  saved: readonly NodeConfig[] = [],
): Identities {
  const known = [...saved];
  const refused = new Set<string>();
  const take = (node: NodeConfig): number | undefined => {
    const number = known.findIndex(({ id }) => id === node.id);
    // Its other tags may be new.
    if (number >= 0) known[number] = node;
    if (number >= 0) return number;
    if (known.length < max) return known.push(node) - 1;
    refused.add(node.id);
    return undefined;
  };
  for (const { node } of targets) if (!isTemplate(node.id)) take(node);
  return {
    numberOf(target, hostName) {
      const node = targets[target]?.node;
      if (!node || (isTemplate(node.id) && hostName === "")) return undefined;
      return take({ ...node, id: resolveNodeId(node.id, hostName) });
    },
    known: () => known,
    refused: () => [...refused],
  };
}

/** Identities that there may be at most. */
export function identitiesMax(targets: readonly WatchedTarget[], max: number): number {
  return targets.some(({ node }) => isTemplate(node.id)) ? max : targets.length;
}
