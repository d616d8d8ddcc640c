// How much kernel memory a map takes, from its definition alone: it need not exist.
#ifndef ADDON_MAP_MEMORY_H_
#define ADDON_MAP_MEMORY_H_

#include <bpf/libbpf.h>

#include <cstdint>

// Bytes that the kernel would account to this map on a machine with so many possible CPUs, but for
// the few hundred of its head. Memory of task storage comes with the tasks and counts as 0, and so
// does a map that is not to be created.
uint64_t MapMemory(const bpf_map* map, int possible_cpus);

#endif  // ADDON_MAP_MEMORY_H_
