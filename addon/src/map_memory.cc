#include "map_memory.h"

#include <linux/bpf.h>

namespace {

// struct htab_elem before the key, and struct bucket, of kernel/bpf/hashtab.c (6.18, 64 bit).
constexpr uint64_t kHashElementHead = 48;
constexpr uint64_t kHashBucket = 16;
constexpr uint64_t kPage = 4096;

uint64_t RoundUp(uint64_t bytes, uint64_t to) { return (bytes + to - 1) / to * to; }

uint64_t PowerOfTwo(uint64_t at_least) {
  uint64_t power = 1;
  while (power < at_least) power *= 2;
  return power;
}

// array_map_mem_usage() of kernel/bpf/arraymap.c.
uint64_t ArrayMemory(const bpf_map* map) {
  const uint64_t bytes = bpf_map__max_entries(map) * RoundUp(bpf_map__value_size(map), 8);
  return (bpf_map__map_flags(map) & BPF_F_MMAPABLE) != 0 ? kPage + RoundUp(bytes, kPage) : bytes;
}

// htab_map_mem_usage() of kernel/bpf/hashtab.c, all elements allocated from the beginning.
uint64_t HashMemory(const bpf_map* map, uint64_t possible_cpus) {
  const uint64_t entries = bpf_map__max_entries(map);
  const uint64_t element =
      kHashElementHead + RoundUp(bpf_map__key_size(map), 8) + RoundUp(bpf_map__value_size(map), 8);
  // A spare element for each CPU, to replace one while it is in use, and the pointer to it.
  const bool spare = bpf_map__type(map) == BPF_MAP_TYPE_HASH;
  return PowerOfTwo(entries) * kHashBucket + entries * element +
         (spare ? possible_cpus * (element + sizeof(void*)) : 0);
}

}  // namespace

uint64_t MapMemory(const bpf_map* map, int possible_cpus) {
  if (!bpf_map__autocreate(map)) return 0;
  switch (bpf_map__type(map)) {
    case BPF_MAP_TYPE_ARRAY:
      return ArrayMemory(map);
    case BPF_MAP_TYPE_HASH:
    case BPF_MAP_TYPE_LRU_HASH:
      return HashMemory(map, static_cast<uint64_t>(possible_cpus));
    default:
      return 0;
  }
}
