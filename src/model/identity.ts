/** Node ids, and how many targets can be counted apart. Pure. */

/** Targets that the kernel counts apart: IDENTITIES_MAX of bpf/page_cache.h. */
export const IDENTITIES_MAX = 8;

/** In a node id: the host name of the watched process, so that each container has an identity of its own. */
const HOST_NAME = "{hostname}";

/** Whether each host name gives a node id of its own. */
export function isTemplate(nodeId: string): boolean {
  return nodeId.includes(HOST_NAME);
}

export function resolveNodeId(nodeId: string, hostName: string): string {
  return nodeId.replaceAll(HOST_NAME, hostName);
}
