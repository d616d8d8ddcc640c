#include "pins.h"

#include <bpf/bpf.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "page_cache.h"

namespace {

constexpr char kControl[] = "control";

bpf_map_info InfoOf(int fd, const std::string& map) {
  bpf_map_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0)
    throw BpfError("ask about", "pin " + Pins::MapPin(map), errno);
  return info;
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool IsProgram(const std::string& name) {
  return name.rfind("prog_", 0) == 0 || name.rfind("link_", 0) == 0;
}

}  // namespace

uint32_t Pins::Generation() const {
  const std::vector<uint8_t> bytes = ReadArray(kControl);
  uint32_t generation = 0;
  if (bytes.size() >= offsetof(control, generation) + sizeof(generation))
    std::memcpy(&generation, bytes.data() + offsetof(control, generation), sizeof(generation));
  return generation;
}

void Pins::RemovePrograms(uint32_t generation) {
  const std::string end = "_" + std::to_string(generation);
  for (const std::string& name : directory_.Names()) {
    if (IsProgram(name) && EndsWith(name, end)) directory_.Remove(name);
  }
}

void Pins::RemoveOtherPrograms(uint32_t generation) {
  const std::string end = "_" + std::to_string(generation);
  for (const std::string& name : directory_.Names()) {
    if (IsProgram(name) && !EndsWith(name, end)) directory_.Remove(name);
  }
}

void Pins::KeepPrograms(const std::vector<std::string>& programs, uint32_t generation) {
  for (const std::string& name : directory_.Names()) {
    const bool kept =
        std::any_of(programs.begin(), programs.end(), [&](const std::string& program) {
          return name == ProgramPin(program, generation) || name == LinkPin(program, generation);
        });
    if (IsProgram(name) && !kept) directory_.Remove(name);
  }
}

void Pins::EndCounting() {
  const Descriptor fd = directory_.Open(MapPin(kControl));
  if (fd.get() >= 0) {
    const bpf_map_info info = InfoOf(fd.get(), kControl);
    void* address = mmap(nullptr, info.value_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (address == MAP_FAILED) throw BpfError("mmap", "map control", errno);
    const Mapping mapping(address, info.value_size);
    // No programs are of this generation.
    __atomic_store_n(&static_cast<control*>(address)->generation, 0, __ATOMIC_SEQ_CST);
  }
  directory_.RemoveAll("link_");
  directory_.RemoveAll("prog_");
  // Waits for those that are running (membarrier(2): after a grace period all of them have ended).
  syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

std::vector<uint8_t> Pins::ReadArray(const std::string& map) const {
  const Descriptor fd = directory_.Open(MapPin(map));
  if (fd.get() < 0) return {};
  const bpf_map_info info = InfoOf(fd.get(), map);
  if (info.type != BPF_MAP_TYPE_ARRAY)
    throw BpfError("read", "pin " + directory_.PathOf(MapPin(map)), EBADMSG);
  std::vector<uint8_t> bytes(size_t{info.value_size} * info.max_entries);
  for (uint32_t i = 0; i < info.max_entries; i++) {
    if (bpf_map_lookup_elem(fd.get(), &i, bytes.data() + size_t{i} * info.value_size) != 0)
      throw BpfError("read", "pin " + directory_.PathOf(MapPin(map)), errno);
  }
  return bytes;
}

void Pins::Clear() {
  journal_.Begin();
  EndCounting();
  directory_.RemoveAll("map_");
}

void Pins::Unload() {
  Clear();
  directory_.Remove("journal");
  directory_.RemoveDirectory();
}
