#include "page_cache_probe.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "embedded_object.h"

namespace {

constexpr char kTaskIterator[] = "iter/task";

bpf_map* FindMap(const bpf_object* object, const char* name) {
  bpf_map* map = bpf_object__find_map_by_name(object, name);
  if (map == nullptr) throw BpfError("find", std::string("map ") + name, ENOENT);
  return map;
}

size_t RoundUpToPage(size_t bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

// The header that both sides share makes a difference impossible in one build; this catches the
// rest.
void CheckValueSize(const bpf_map* map, size_t expected) {
  if (bpf_map__value_size(map) != expected)
    throw BpfError("check the value size of", std::string("map ") + bpf_map__name(map), EINVAL);
}

Mapping Map(const bpf_map* map, int protection) {
  const size_t bytes = RoundUpToPage(size_t{bpf_map__max_entries(map)} * bpf_map__value_size(map));
  void* address = mmap(nullptr, bytes, protection, MAP_SHARED, bpf_map__fd(map), 0);
  if (address == MAP_FAILED)
    throw BpfError("mmap", std::string("map ") + bpf_map__name(map), errno);
  return {address, bytes};
}

// Opens the object with the sizes that depend on the machine and only the named programs switched
// on.
ObjectPtr OpenWith(const std::vector<std::string>& names, int possible_cpus) {
  ObjectPtr object = OpenEmbeddedObject();
  const auto cpus = static_cast<uint32_t>(possible_cpus);
  bpf_map__set_max_entries(FindMap(object.get(), "counters"), cpus * COMPONENTS);
  bpf_map__set_max_entries(FindMap(object.get(), "inode_cache"), cpus * INODE_CACHE_SLOTS);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const bool wanted = std::count(names.begin(), names.end(), bpf_program__name(program)) > 0;
    bpf_program__set_autoload(program, wanted);
  }
  return object;
}

std::optional<BpfError> Load(bpf_object* object, const std::string& what) {
  LibbpfLog log;
  if (bpf_object__load(object) == 0) return std::nullopt;
  const int error = errno;
  return BpfError("load", what, error, log.Tail());
}

std::string HookOf(const bpf_object* object, const std::string& name) {
  const bpf_program* program = bpf_object__find_program_by_name(object, name.c_str());
  if (program == nullptr) throw BpfError("find", "program " + name, ENOENT);
  return bpf_program__section_name(program);
}

}  // namespace

PageCacheProbe::PageCacheProbe(const std::vector<std::string>& names)
    : possible_cpus_(libbpf_num_possible_cpus()) {
  if (possible_cpus_ <= 0) throw BpfError("count", "possible CPUs", -possible_cpus_);
  object_ = OpenWith(names, possible_cpus_);
  for (const std::string& name : names)
    programs_.push_back({name, HookOf(object_.get(), name), false, std::nullopt});

  // One bad program fails the load of all: then each is tried alone, and the good ones go in
  // together.
  if (std::optional<BpfError> whole = Load(object_.get(), "BPF object page_cache")) {
    std::vector<std::string> good;
    for (Program& program : programs_) {
      const ObjectPtr trial = OpenWith({program.name}, possible_cpus_);
      program.error = Load(trial.get(), "program " + program.name + " (" + program.hook + ")");
      if (!program.error) good.push_back(program.name);
    }
    if (good.empty()) throw programs_.empty() ? *whole : *programs_.front().error;
    object_ = OpenWith(good, possible_cpus_);
    if (std::optional<BpfError> again = Load(object_.get(), "BPF object page_cache")) throw *again;
  }

  bpf_map* counters = FindMap(object_.get(), "counters");
  bpf_map* targets = FindMap(object_.get(), ".bss");
  CheckValueSize(counters, sizeof(struct counters));
  CheckValueSize(targets, sizeof(struct targets));
  counters_ = Map(counters, PROT_READ);
  targets_ = Map(targets, PROT_READ | PROT_WRITE);

  for (Program& program : programs_) {
    if (program.error) continue;
    LibbpfLog log;
    LinkPtr link(
        bpf_program__attach(bpf_object__find_program_by_name(object_.get(), program.name.c_str())));
    if (!link) {
      program.error.emplace("attach", "program " + program.name + " (" + program.hook + ")", errno,
                            log.Tail());
      continue;
    }
    program.attached = true;
    if (program.hook == kTaskIterator)
      task_iterator_ = std::move(link);
    else
      links_.push_back(std::move(link));
  }
}

std::vector<task_record> PageCacheProbe::Tasks() const {
  if (!task_iterator_) throw BpfError("read", "task iterator", ENOENT);
  const Descriptor iterator(bpf_iter_create(bpf_link__fd(task_iterator_.get())));
  if (iterator.get() < 0) throw BpfError("create", "task iterator", errno);

  std::vector<task_record> tasks;
  task_record records[128];
  size_t held = 0;  // bytes of a record that was cut by the end of a read
  for (;;) {
    char* begin = reinterpret_cast<char*>(records);
    const ssize_t bytes = read(iterator.get(), begin + held, sizeof(records) - held);
    if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (bytes < 0) throw BpfError("read", "task iterator", errno);
    if (bytes == 0) return tasks;
    const size_t available = held + static_cast<size_t>(bytes);
    const size_t whole = available / sizeof(task_record);
    tasks.insert(tasks.end(), records, records + whole);
    held = available % sizeof(task_record);
    std::memmove(begin, begin + whole * sizeof(task_record), held);
  }
}

void PageCacheProbe::SetTargets(const std::vector<uint32_t>& tgids) {
  auto* targets = static_cast<volatile struct targets*>(targets_.get());
  uint64_t filter = 0;
  for (size_t i = 0; i < TARGETS_MAX; i++) {
    const uint32_t tgid = i < tgids.size() ? tgids[i] : 0;
    targets->tgid[i] = tgid;
    if (tgid != 0) filter |= uint64_t{1} << (tgid & 63);
  }
  targets->count = static_cast<uint32_t>(std::min<size_t>(tgids.size(), TARGETS_MAX));
  // Last, so that no event sees a filter whose tgids are not there yet.
  std::atomic_thread_fence(std::memory_order_release);
  targets->filter = filter;
}

void PageCacheProbe::ReadCounters(uint64_t* into, size_t components) const {
  const auto* cpu = static_cast<const volatile struct counters*>(counters_.get());
  std::fill_n(into, components * COUNTER_COUNT, 0);
  for (int i = 0; i < possible_cpus_; i++, cpu += COMPONENTS) {
    for (size_t component = 0; component < components; component++) {
      for (size_t counter = 0; counter < COUNTER_COUNT; counter++)
        into[component * COUNTER_COUNT + counter] += cpu[component].value[counter];
    }
  }
}

std::vector<PageCacheProbe::ProgramStats> PageCacheProbe::Stats() const {
  std::vector<ProgramStats> stats;
  for (const Program& program : programs_) {
    if (!program.attached) continue;
    const int fd =
        bpf_program__fd(bpf_object__find_program_by_name(object_.get(), program.name.c_str()));
    bpf_prog_info info{};
    uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0)
      throw BpfError("ask about", "program " + program.name, errno);
    stats.push_back({program.name, info.recursion_misses, info.run_cnt, info.run_time_ns});
  }
  return stats;
}

void PageCacheProbe::Detach() {
  links_.clear();
  task_iterator_.reset();
}

uint64_t PageCacheProbe::MapBytes() const {
  uint64_t bytes = 0;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    bytes +=
        uint64_t{bpf_map__max_entries(map)} * (bpf_map__key_size(map) + bpf_map__value_size(map));
  }
  return bytes;
}
