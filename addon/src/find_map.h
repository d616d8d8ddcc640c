// A map of an object by its name.
#ifndef ADDON_FIND_MAP_H_
#define ADDON_FIND_MAP_H_

#include <bpf/libbpf.h>

// Throws BpfError ENOENT where the object has none of this name.
bpf_map* FindMap(const bpf_object* object, const char* name);

#endif  // ADDON_FIND_MAP_H_
