#include "find_map.h"

#include <cerrno>
#include <string>

#include "bpf_error.h"

bpf_map* FindMap(const bpf_object* object, const char* name) {
  bpf_map* map = bpf_object__find_map_by_name(object, name);
  if (map == nullptr) throw BpfError("find", std::string("map ") + name, ENOENT);
  return map;
}
