#include "journal_map.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <ctime>
#include <fstream>

namespace {

constexpr char kPin[] = "journal";
// "EBPFJRN" and the number of the format.
constexpr uint64_t kMagic = 0x01'4e'52'4a'46'50'42'45;
constexpr uint32_t kPages = JournalMap::kBytes / JournalMap::kPageBytes;

// Identity of the kernel's life.
std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

BpfError NoJournal(const PinDirectory& pins, const std::string& why) {
  return BpfError("use", "pin " + pins.PathOf(kPin), EBADMSG,
                  why +
                      "; nothing is removed: set another kernel.pin_path, or remove the directory "
                      "yourself, which gives up what was not delivered");
}

Descriptor Create() {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  Descriptor fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, kPin, sizeof(uint32_t), JournalMap::kPageBytes,
                               kPages, &options));
  if (fd.get() < 0) throw BpfError("make", "map journal", errno);
  return fd;
}

Mapping MapAll(int fd) {
  void* address = mmap(nullptr, JournalMap::kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) throw BpfError("mmap", "map journal", errno);
  return {address, JournalMap::kBytes};
}

void CheckShape(const PinDirectory& pins, int fd) {
  bpf_map_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0 || info.type != BPF_MAP_TYPE_ARRAY ||
      info.value_size != JournalMap::kPageBytes || info.max_entries != kPages ||
      (info.map_flags & BPF_F_MMAPABLE) == 0)
    throw NoJournal(pins, "it is another kind of object than a journal");
}

}  // namespace

JournalMap::JournalMap(const PinDirectory& pins) {
  Descriptor fd = pins.Open(kPin);
  if (fd.get() < 0) {
    if (!pins.Names().empty()) throw NoJournal(pins, "there are pins without it");
    fd = Create();
    mapping_ = MapAll(fd.get());
    Header()->magic = kMagic;
    // From here on whatever is in the directory is ours.
    pins.Pin(fd.get(), kPin);
    return;
  }
  CheckShape(pins, fd.get());
  mapping_ = MapAll(fd.get());
  if (header().magic != kMagic) throw NoJournal(pins, "it is no journal of this format");
  if (header().complete != 0 && BootId() != header().boot_id)
    throw NoJournal(pins, "it is of another life of this machine");
}

void JournalMap::Begin() { __atomic_store_n(&Header()->complete, 0, __ATOMIC_SEQ_CST); }

void JournalMap::Complete(uint64_t layout, uint64_t build) {
  if (header().complete == 0) {
    const std::string boot = BootId();
    boot.copy(Header()->boot_id, sizeof(Header()->boot_id) - 1);
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    Header()->incarnation =
        static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
  }
  __atomic_store_n(&Header()->build, build, __ATOMIC_SEQ_CST);
  __atomic_store_n(&Header()->layout, layout, __ATOMIC_SEQ_CST);
  __atomic_store_n(&Header()->complete, 1, __ATOMIC_SEQ_CST);
}

void JournalMap::Switch(uint64_t sequence) {
  __atomic_store_n(&Header()->sequence, sequence, __ATOMIC_SEQ_CST);
}
