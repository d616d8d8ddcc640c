#include "pinned_maps.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace {

// Name of the pin of a map; that of the globals as the kernel has it is cut.
std::string PinOf(const bpf_object* object, const bpf_map* map) {
  return Pins::MapPin(map == bpf_object__find_map_by_name(object, ".bss") ? "control"
                                                                          : bpf_map__name(map));
}

}  // namespace

bool IsConstant(const bpf_map* map) {
  return std::strstr(bpf_map__name(map), ".rodata") != nullptr;
}

void ReuseMaps(bpf_object* object, const Pins& pins) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (IsConstant(map) || !bpf_map__autocreate(map)) continue;
    const std::string name = PinOf(object, map);
    const Descriptor fd = pins.directory().Open(name);
    if (fd.get() < 0) continue;
    bpf_map_info info{};
    uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0 || info.type != bpf_map__type(map) ||
        info.key_size != bpf_map__key_size(map) || info.value_size != bpf_map__value_size(map) ||
        info.max_entries != bpf_map__max_entries(map))
      throw BpfError("use", "pin " + pins.directory().PathOf(name), EBADMSG,
                     "it is not the map that the journal speaks of; remove the directory yourself, "
                     "which gives up what was not delivered");
    if (bpf_map__reuse_fd(map, fd.get()) != 0)
      throw BpfError("use", "pin " + pins.directory().PathOf(name), errno);
  }
}

void PinMaps(const bpf_object* object, const Pins& pins) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (IsConstant(map) || !bpf_map__autocreate(map)) continue;
    const std::string name = PinOf(object, map);
    if (pins.directory().Open(name).get() < 0) pins.directory().Pin(bpf_map__fd(map), name);
  }
}
