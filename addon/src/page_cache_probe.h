// The loaded BPF programs: loads and attaches what was asked for, and reads what they counted.
// Which programs to ask for is decided elsewhere.
#ifndef ADDON_PAGE_CACHE_PROBE_H_
#define ADDON_PAGE_CACHE_PROBE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bpf_error.h"
#include "component_maps.h"
#include "handles.h"
#include "page_cache.h"
#include "pins.h"
#include "target_slots.h"

class PageCacheProbe {
 public:
  struct Program {
    std::string name;
    std::string hook;
    bool spare;
    // Attached and detached by Sample().
    bool sampled;
    bool attached;
    // Counts on when this process ends.
    bool pinned;
    // Why it is not attached, or not pinned.
    std::optional<BpfError> error;
  };

  struct ProgramStats {
    std::string name;
    // Events that the kernel did not show to the program because it was interrupted in itself.
    uint64_t recursion_misses;
    // Both 0 unless the kernel's BPF statistics are on.
    uint64_t run_count;
    uint64_t run_time_ns;
  };

  // Programs of the object by name: those to attach at once, those that UseRecords() attaches, and
  // those that Sample() attaches and detaches, which are never pinned.
  struct Wanted {
    std::vector<std::string> programs;
    std::vector<std::string> spare;
    std::vector<std::string> sampled;
  };

  // Loads the programs, each as far as the kernel lets it: one that cannot load never stops the
  // others. Throws BpfError where none can be loaded.
  // With pins, maps and programs that are there already go on; programs of another build are
  // replaced such that no event is lost. Throws BpfError EINVAL where the maps are of another
  // layout.
  PageCacheProbe(const Wanted& wanted, std::shared_ptr<Pins> pins);

  // Tells what the values in the maps mean, on this machine, from what they meant to others.
  static uint64_t Layout();

  const std::vector<Program>& programs() const { return programs_; }

  // Processes that this process may see. Throws BpfError; ENOENT where the iterator was not
  // attached.
  std::vector<task_record> Tasks();

  // Grows with every execve, and with every end of a target.
  uint32_t ProcessChanges() const;

  // Whether a process is counted from its execve on.
  bool IsCountedSinceExec(uint32_t tgid) const;

  // Replaces the counted processes, at most TARGETS_MAX, by their tgids in the initial pid
  // namespace; but for those that a program has taken since the last Tasks(), which that list
  // cannot have shown.
  void SetTargets(const std::vector<CountedProcess>& processes);

  // Replaces what a program takes a process by as soon as it executes; at most EXEC_ENTRIES_MAX.
  void SetExecEntries(const std::vector<exec_entry>& entries);

  // What is told to the programs about the files of the targets.
  ComponentMaps& components() { return *components_; }

  // Sums the counters over all CPUs into [component][counter], for the first `components`
  // components.
  void ReadCounters(uint64_t* into, size_t components) const;

  // Sums the pressure counters over all CPUs into [scope][counter].
  void ReadPressure(uint64_t* into) const;

  // Sums the hint counters over all CPUs into [identity][advice][counter].
  void ReadHints(uint64_t* into) const;

  // Sums the latencies over all CPUs into [identity][outcome][value]: the buckets, then the sum in
  // ns.
  void ReadLatencies(uint64_t* into) const;

  // Attaches the sampled programs, in their order, or detaches them; false, and none is attached,
  // where they cannot all be.
  bool Sample(bool on);

  // Attaches the spare programs and lets the classic tracepoints count from now on; false, and
  // nothing changes, where they cannot all be attached.
  bool UseRecords();

  // Begins a new interval for the counting of distinct tasks.
  void NextInterval();

  std::vector<ProgramStats> Stats() const;

  // Lets pinned programs count until so long from now; others always do.
  void KeepAlive(uint64_t timeout_ns);

  // How long pinned programs had not counted when they were opened, because nobody read them.
  uint64_t orphaned_ns() const { return orphaned_ns_; }

  // Lets the kernel add up how long each BPF program of the machine runs, until EndStatistics().
  // Throws BpfError; EPERM without CAP_SYS_ADMIN, EINVAL before 5.8.
  void BeginStatistics();
  void EndStatistics();

  // Time that the programs of this object have run while the kernel added it up, in ns.
  uint64_t RunTimeNs() const;

  // Ends the counting of what is not pinned; what was counted can still be read.
  void Detach();

  // Bytes of kernel memory that the maps hold.
  uint64_t MapBytes() const;

  // The same for these programs on a machine with so many possible CPUs; loads nothing.
  static uint64_t MapBytesAt(const std::vector<std::string>& names, int possible_cpus);

 private:
  // Takes over the pinned programs of this build; returns what is left to load.
  std::vector<std::string> Adopt(const std::vector<std::string>& names);
  // Loads these programs, each as far as the kernel lets it.
  void Load(const std::vector<std::string>& names);
  void MapCounters();
  void AttachAll();
  LinkPtr Attach(Program* program);
  void AttachForGood(Program* program);
  void Pin(Program* program, LinkPtr link);
  int FdOf(const Program& program) const;

  std::shared_ptr<Pins> pins_;
  // Of the programs that are loaded here; 0 without pins.
  uint32_t generation_ = 0;
  // Of the pinned programs that count now; 0 where there are none.
  uint32_t found_generation_ = 0;
  std::map<std::string, Descriptor> adopted_;
  uint64_t orphaned_ns_ = 0;
  ObjectPtr object_;
  std::vector<Program> programs_;
  std::vector<LinkPtr> links_;
  std::vector<LinkPtr> sampled_links_;
  LinkPtr task_iterator_;
  // Open while the kernel adds up run times.
  std::optional<Descriptor> statistics_;
  int possible_cpus_;
  Mapping counters_;
  Mapping pressure_;
  Mapping hints_;
  Mapping latencies_;
  Mapping control_;
  std::optional<ComponentMaps> components_;
  // Monotonic time just before the last Tasks().
  uint64_t listed_ns_ = 0;
};

#endif  // ADDON_PAGE_CACHE_PROBE_H_
