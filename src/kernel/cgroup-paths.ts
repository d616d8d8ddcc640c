/** Paths of cgroups: which one a process is in, and which a selector means. Pure. */

/**
 * Path in /proc/PID/cgroup, of the hierarchy that the memory controller is in: a line `N:...,memory,...:/path` of
 * version 1, else that of version 2. Empty where there is none. What lies above the reader's own root of cgroups is
 * shown as `/..` (cgroup_namespaces(7)), and left out.
 */
export function parseCountedCgroup(text: string): string {
  const path =
    /^\d+:(?:\S*,)?memory(?:,\S*)?:(\/.*)$/m.exec(text)?.[1] ?? /^0::(\/.*)$/m.exec(text)?.[1] ?? "";
  return path.replace(/^(\/\.\.)+/, "");
}

/**
 * The cgroup that a selector means, among the one at `path` and those above; undefined where it means none of them.
 * @param selector a path in which `*` stands for any part of a name
 */
export function selectedCgroup(selector: string, path: string): string | undefined {
  const escaped = selector.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
  return new RegExp(`^${escaped}(?=/|$)`).exec(path)?.[0];
}

/**
 * Whether the cgroup above is that of a pod, of which the process's own is one container: the kubelet names it
 * pod<uid>, or ...-pod<uid>.slice with the dashes of the uid replaced
 * (https://github.com/kubernetes/kubernetes/blob/v1.31.0/pkg/kubelet/cm/cgroup_manager_linux.go).
 */
export function isInPod(path: string): boolean {
  return /(?:^|[/-])pod[0-9a-f]{8}[-_]?[0-9a-f_-]{20,}(?:\.slice)?\/[^/]+$/.test(path);
}
