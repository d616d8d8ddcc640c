#include "page_cache_probe.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "embedded_object.h"
#include "find_map.h"
#include "fingerprint.h"
#include "map_memory.h"
#include "pinned_maps.h"
#include "process_memory.h"

namespace {

constexpr char kTaskIterator[] = "iter/task";
// See reads when they end, since 5.12 and before.
constexpr const char* kReadExits[] = {"on_filemap_read_exit", "on_buffered_read_exit"};

bool HasPrefix(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

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

std::string HookOf(const bpf_object* object, const std::string& name) {
  const bpf_program* program = bpf_object__find_program_by_name(object, name.c_str());
  if (program == nullptr) throw BpfError("find", "program " + name, ENOENT);
  return bpf_program__section_name(program);
}

// Sizes that depend on the machine.
void SetSizes(bpf_object* object, int possible_cpus) {
  const auto cpus = static_cast<uint32_t>(possible_cpus);
  bpf_map__set_max_entries(FindMap(object, "counters"), cpus * COMPONENTS);
  bpf_map__set_max_entries(FindMap(object, "inode_cache"), cpus * INODE_CACHE_SLOTS);
  bpf_map__set_max_entries(FindMap(object, "pressure"), cpus * SCOPE_COUNT);
  bpf_map__set_max_entries(FindMap(object, "hints"), cpus * IDENTITIES_MAX * ADVICE_COUNT);
  bpf_map__set_max_entries(FindMap(object, "latencies"), cpus * IDENTITIES_MAX * READ_OUTCOMES);
}

// Opens the object with the sizes that depend on the machine and only the named programs switched
// on.
ObjectPtr OpenWith(const std::vector<std::string>& names, int possible_cpus, uint32_t generation,
                   const Pins* pins) {
  ObjectPtr object = OpenEmbeddedObject();
  SetSizes(object.get(), possible_cpus);
  const settings settings{generation, static_cast<uint32_t>(__builtin_ctzl(sysconf(_SC_PAGESIZE)))};
  bpf_map__set_initial_value(FindMap(object.get(), ".rodata.settings"), &settings,
                             sizeof(settings));
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const bool wanted = std::count(names.begin(), names.end(), bpf_program__name(program)) > 0;
    bpf_program__set_autoload(program, wanted);
  }
  // Maps that only other kernels, or programs that are not wanted, would use.
  const bool task_storage = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, nullptr) == 1;
  for (const char* name : {"threads", "reclaimers"}) {
    bpf_map__set_autocreate(FindMap(object.get(), name), task_storage);
    bpf_map__set_autocreate(FindMap(object.get(), (std::string(name) + "_by_id").c_str()),
                            !task_storage);
  }
  const bool records = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return HasPrefix(HookOf(object.get(), name), "tracepoint/");
  });
  bpf_map__set_autocreate(FindMap(object.get(), "inodes_by_number"), records);
  if (pins != nullptr) ReuseMaps(object.get(), *pins);
  return object;
}

uint64_t SumMaps(const bpf_object* object, int possible_cpus) {
  uint64_t bytes = 0;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) bytes += MapMemory(map, possible_cpus);
  return bytes;
}

bpf_prog_info InfoOf(int fd, const std::string& name) {
  bpf_prog_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0)
    throw BpfError("ask about", "program " + name, errno);
  return info;
}

std::optional<BpfError> Load(bpf_object* object, const std::string& what) {
  LibbpfLog log;
  if (bpf_object__load(object) == 0) return std::nullopt;
  const int error = errno;
  return BpfError("load", what, error, log.Tail());
}

// Sums an array of [cpu][row] records over the CPUs into [row][value], for the first `rows` of
// `stride` rows.
template <typename Record>
void SumCpus(const Mapping& mapping, int cpus, size_t stride, size_t rows, size_t values,
             uint64_t* into) {
  const auto* cpu = static_cast<const volatile Record*>(mapping.get());
  std::fill_n(into, rows * values, 0);
  for (int i = 0; i < cpus; i++, cpu += stride) {
    for (size_t row = 0; row < rows; row++) {
      for (size_t value = 0; value < values; value++)
        into[row * values + value] += cpu[row].value[value];
    }
  }
}

control* ControlOf(const Mapping& mapping) { return static_cast<control*>(mapping.get()); }

// The clock of bpf_ktime_get_ns().
uint64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

uint64_t PageCacheProbe::Layout() {
  const ObjectPtr object = OpenEmbeddedObject();
  SetSizes(object.get(), libbpf_num_possible_cpus());
  Fingerprint print;
  print.Add(LAYOUT_CHECKSUM);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (IsConstant(map)) continue;
    const std::string name = bpf_map__name(map);
    print.Add(name.data(), name.size());
    for (const uint32_t part : {static_cast<uint32_t>(bpf_map__type(map)), bpf_map__key_size(map),
                                bpf_map__value_size(map), bpf_map__max_entries(map)})
      print.Add(part);
  }
  return print.value();
}

PageCacheProbe::PageCacheProbe(const Wanted& wanted, std::shared_ptr<Pins> pins)
    : pins_(std::move(pins)), possible_cpus_(libbpf_num_possible_cpus()) {
  if (possible_cpus_ <= 0) throw BpfError("count", "possible CPUs", -possible_cpus_);
  ObjectPtr all = OpenEmbeddedObject();
  std::vector<std::string> names;
  const auto add = [&](const std::vector<std::string>& some, bool spare, bool sampled) {
    for (const std::string& name : some) {
      names.push_back(name);
      programs_.push_back(
          {name, HookOf(all.get(), name), spare, sampled, false, false, std::nullopt});
    }
  };
  add(wanted.programs, false, false);
  add(wanted.spare, true, false);
  add(wanted.sampled, false, true);
  all.reset();
  Load(pins_ ? Adopt(names) : names);
  MapCounters();
  if (pins_) PinMaps(object_.get(), *pins_);
  components_.emplace(object_.get(), ControlOf(control_));
  AttachAll();
  // To load, libbpf reads all types of the kernel and frees them again (15 MB on 6.18).
  ReturnFreedMemory();
}

std::vector<std::string> PageCacheProbe::Adopt(const std::vector<std::string>& names) {
  const JournalHeader& header = pins_->journal().header();
  if (header.complete == 0) {
    // Their making was interrupted.
    pins_->Clear();
    generation_ = 1;
    return names;
  }
  if (header.layout != Layout())
    throw BpfError("use", "pin directory " + pins_->directory().path(), EINVAL,
                   "its maps are of another layout");
  found_generation_ = pins_->Generation();
  pins_->RemoveOtherPrograms(found_generation_);
  generation_ = found_generation_ + 1;
  if (header.build != EmbeddedObjectBuild()) return names;

  generation_ = found_generation_;
  std::vector<std::string> rest;
  for (Program& program : programs_) {
    Descriptor fd = pins_->directory().Open(Pins::ProgramPin(program.name, generation_));
    const Descriptor link = pins_->directory().Open(Pins::LinkPin(program.name, generation_));
    if (fd.get() < 0 || link.get() < 0) {
      rest.push_back(program.name);
      continue;
    }
    program.attached = program.pinned = true;
    adopted_.emplace(program.name, std::move(fd));
  }
  pins_->KeepPrograms(names, generation_);
  return rest;
}

void PageCacheProbe::Load(const std::vector<std::string>& names) {
  const Pins* pins = pins_.get();
  object_ = OpenWith(names, possible_cpus_, generation_, pins);
  // One bad program fails the load of all: then each is tried alone, and the good ones go in
  // together.
  std::optional<BpfError> whole = ::Load(object_.get(), "BPF object page_cache");
  if (!whole) return;
  std::vector<std::string> good;
  std::optional<BpfError> first;
  for (Program& program : programs_) {
    if (std::count(names.begin(), names.end(), program.name) == 0) continue;
    const ObjectPtr trial = OpenWith({program.name}, possible_cpus_, generation_, pins);
    program.error = ::Load(trial.get(), "program " + program.name + " (" + program.hook + ")");
    if (!program.error) good.push_back(program.name);
    if (!first) first = program.error;
  }
  if (good.empty() && adopted_.empty()) throw first ? *first : *whole;
  object_ = OpenWith(good, possible_cpus_, generation_, pins);
  if (std::optional<BpfError> again = ::Load(object_.get(), "BPF object page_cache")) throw *again;
}

void PageCacheProbe::MapCounters() {
  bpf_map* counters = FindMap(object_.get(), "counters");
  bpf_map* pressure = FindMap(object_.get(), "pressure");
  bpf_map* control = FindMap(object_.get(), ".bss");
  CheckValueSize(counters, sizeof(struct counters));
  CheckValueSize(pressure, sizeof(struct pressure));
  bpf_map* hints = FindMap(object_.get(), "hints");
  CheckValueSize(hints, sizeof(struct hints));
  bpf_map* latencies = FindMap(object_.get(), "latencies");
  CheckValueSize(latencies, sizeof(struct latency));
  CheckValueSize(control, sizeof(struct control));
  counters_ = Map(counters, PROT_READ);
  pressure_ = Map(pressure, PROT_READ);
  hints_ = Map(hints, PROT_READ);
  latencies_ = Map(latencies, PROT_READ);
  control_ = Map(control, PROT_READ | PROT_WRITE);
}

void PageCacheProbe::AttachAll() {
  control* c = ControlOf(control_);
  if (pins_ && found_generation_ == 0)
    __atomic_store_n(&c->generation, generation_, __ATOMIC_SEQ_CST);
  if (found_generation_ != 0 && MonotonicNs() > c->deadline_ns)
    orphaned_ns_ = MonotonicNs() - c->deadline_ns;

  const bool sees_ends = std::any_of(programs_.begin(), programs_.end(), [](const Program& one) {
    return std::count(std::begin(kReadExits), std::end(kReadExits), one.name) > 0;
  });
  __atomic_store_n(&c->sees_ends, sees_ends, __ATOMIC_RELEASE);
  for (Program& program : programs_) {
    if (!program.error && !program.spare && !program.sampled && !program.attached)
      AttachForGood(&program);
  }
  // Those that count by records go on so.
  if (c->count_records != 0 && !UseRecords())
    __atomic_store_n(&c->count_records, 0, __ATOMIC_SEQ_CST);
  if (!pins_) return;
  if (found_generation_ != 0 && generation_ != found_generation_) {
    // From this moment the new programs count, and the old ones do not.
    __atomic_store_n(&c->generation, generation_, __ATOMIC_SEQ_CST);
    pins_->RemovePrograms(found_generation_);
  }
  pins_->journal().Complete(Layout(), EmbeddedObjectBuild());
}

// Empty where it cannot be attached; then the program says why.
LinkPtr PageCacheProbe::Attach(Program* program) {
  LibbpfLog log;
  LinkPtr link(
      bpf_program__attach(bpf_object__find_program_by_name(object_.get(), program->name.c_str())));
  if (!link) {
    program->error.emplace("attach", "program " + program->name + " (" + program->hook + ")", errno,
                           log.Tail());
    return link;
  }
  program->attached = true;
  return link;
}

void PageCacheProbe::AttachForGood(Program* program) {
  LinkPtr link = Attach(program);
  if (!link) return;
  if (program->hook == kTaskIterator)
    task_iterator_ = std::move(link);
  else if (pins_)
    Pin(program, std::move(link));
  else
    links_.push_back(std::move(link));
}

void PageCacheProbe::Pin(Program* program, LinkPtr link) {
  try {
    pins_->directory().Pin(FdOf(*program), Pins::ProgramPin(program->name, generation_));
    pins_->directory().Pin(bpf_link__fd(link.get()), Pins::LinkPin(program->name, generation_));
  } catch (const BpfError& error) {
    program->error = error;
    links_.push_back(std::move(link));
    return;
  }
  program->pinned = true;
  // The pin holds it now. To destroy the link would switch a classic tracepoint off; what is left
  // of such a one until this process ends is one descriptor of a perf event.
  bpf_link__disconnect(link.get());
  close(bpf_link__fd(link.get()));
}

int PageCacheProbe::FdOf(const Program& program) const {
  const auto adopted = adopted_.find(program.name);
  if (adopted != adopted_.end()) return adopted->second.get();
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), program.name.c_str()));
}

bool PageCacheProbe::Sample(bool on) {
  sampled_links_.clear();
  // Reads that are running may have begun the last time.
  __atomic_add_fetch(&ControlOf(control_)->timing, 1, __ATOMIC_RELEASE);
  bool all = on;
  for (Program& program : programs_) {
    if (!program.sampled) continue;
    program.attached = false;
    LinkPtr link = all && !program.error ? Attach(&program) : LinkPtr();
    all = all && link;
    sampled_links_.push_back(std::move(link));
  }
  if (on && !all) return Sample(false);
  return all;
}

bool PageCacheProbe::UseRecords() {
  bool all = true;
  for (Program& program : programs_) {
    if (!program.spare || program.attached) continue;
    if (!program.error) AttachForGood(&program);
    all = all && program.attached;
  }
  if (all) __atomic_store_n(&ControlOf(control_)->count_records, 1, __ATOMIC_RELEASE);
  return all;
}

std::vector<task_record> PageCacheProbe::Tasks() {
  if (!task_iterator_) throw BpfError("read", "task iterator", ENOENT);
  const Descriptor iterator(bpf_iter_create(bpf_link__fd(task_iterator_.get())));
  if (iterator.get() < 0) throw BpfError("create", "task iterator", errno);
  listed_ns_ = MonotonicNs();

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

uint32_t PageCacheProbe::ProcessChanges() const {
  return __atomic_load_n(&ControlOf(control_)->process_changes, __ATOMIC_ACQUIRE);
}

bool PageCacheProbe::IsCountedSinceExec(uint32_t tgid) const {
  return HoldsSlotSinceExec(ControlOf(control_), tgid);
}

void PageCacheProbe::SetTargets(const std::vector<CountedProcess>& processes) {
  ReplaceSlots(ControlOf(control_), processes, listed_ns_);
}

void PageCacheProbe::SetExecEntries(const std::vector<exec_entry>& entries) {
  control* c = ControlOf(control_);
  // Who executes meanwhile is found at the next look, rather than by half an entry.
  __atomic_store_n(&c->exec_count, 0, __ATOMIC_SEQ_CST);
  std::copy(entries.begin(), entries.end(), c->exec);
  __atomic_store_n(&c->exec_count, static_cast<uint32_t>(entries.size()), __ATOMIC_SEQ_CST);
}

void PageCacheProbe::ReadCounters(uint64_t* into, size_t components) const {
  SumCpus<counters>(counters_, possible_cpus_, COMPONENTS, components, COUNTER_COUNT, into);
}

void PageCacheProbe::ReadPressure(uint64_t* into) const {
  SumCpus<pressure>(pressure_, possible_cpus_, SCOPE_COUNT, SCOPE_COUNT, PRESSURE_COUNT, into);
}

void PageCacheProbe::ReadHints(uint64_t* into) const {
  constexpr size_t kRows = size_t{IDENTITIES_MAX} * ADVICE_COUNT;
  SumCpus<hints>(hints_, possible_cpus_, kRows, kRows, HINT_COUNT, into);
}

void PageCacheProbe::ReadLatencies(uint64_t* into) const {
  constexpr size_t kRows = size_t{IDENTITIES_MAX} * READ_OUTCOMES;
  SumCpus<latency>(latencies_, possible_cpus_, kRows, kRows, LATENCY_VALUES, into);
}

void PageCacheProbe::NextInterval() {
  __atomic_add_fetch(&ControlOf(control_)->interval, 1, __ATOMIC_RELEASE);
}

std::vector<PageCacheProbe::ProgramStats> PageCacheProbe::Stats() const {
  std::vector<ProgramStats> stats;
  for (const Program& program : programs_) {
    if (!program.attached) continue;
    const bpf_prog_info info = InfoOf(FdOf(program), program.name);
    stats.push_back({program.name, info.recursion_misses, info.run_cnt, info.run_time_ns});
  }
  return stats;
}

void PageCacheProbe::KeepAlive(uint64_t timeout_ns) {
  control* c = ControlOf(control_);
  __atomic_store_n(&c->deadline_ns, MonotonicNs() + timeout_ns, __ATOMIC_SEQ_CST);
  __atomic_store_n(&c->orphaned, 0, __ATOMIC_SEQ_CST);
}

void PageCacheProbe::BeginStatistics() {
  statistics_.emplace(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (statistics_->get() >= 0) return;
  const int error = errno;
  EndStatistics();
  throw BpfError("enable", "BPF run-time statistics", error);
}

void PageCacheProbe::EndStatistics() { statistics_.reset(); }

uint64_t PageCacheProbe::RunTimeNs() const {
  uint64_t sum = 0;
  for (const Program& program : programs_) {
    const int fd = FdOf(program);
    if (fd >= 0) sum += InfoOf(fd, program.name).run_time_ns;
  }
  return sum;
}

void PageCacheProbe::Detach() {
  links_.clear();
  sampled_links_.clear();
  task_iterator_.reset();
}

uint64_t PageCacheProbe::MapBytes() const { return SumMaps(object_.get(), possible_cpus_); }

uint64_t PageCacheProbe::MapBytesAt(const std::vector<std::string>& names, int possible_cpus) {
  return SumMaps(OpenWith(names, possible_cpus, 0, nullptr).get(), possible_cpus);
}
