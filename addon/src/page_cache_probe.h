// The loaded BPF programs: loads and attaches what was asked for, and reads what they counted.
// Which programs to ask for is decided elsewhere.
#ifndef ADDON_PAGE_CACHE_PROBE_H_
#define ADDON_PAGE_CACHE_PROBE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bpf_error.h"
#include "handles.h"
#include "page_cache.h"

class PageCacheProbe {
 public:
  struct Program {
    std::string name;
    std::string hook;
    bool attached;
    // Why it is not attached.
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

  // Loads and attaches the named programs of the object, each as far as the kernel lets it: one
  // that cannot load never stops the others. Throws BpfError where none can be loaded.
  explicit PageCacheProbe(const std::vector<std::string>& names);

  const std::vector<Program>& programs() const { return programs_; }

  // Processes that this process may see. Throws BpfError; ENOENT where the iterator was not
  // attached.
  std::vector<task_record> Tasks() const;

  // Replaces the counted processes, at most TARGETS_MAX tgids of the initial pid namespace.
  void SetTargets(const std::vector<uint32_t>& tgids);

  // Sums the counters over all CPUs into [component][counter], for the first `components`
  // components.
  void ReadCounters(uint64_t* into, size_t components) const;

  std::vector<ProgramStats> Stats() const;

  // Ends the counting; what was counted can still be read.
  void Detach();

  // Bytes of kernel memory that the maps hold.
  uint64_t MapBytes() const;

 private:
  ObjectPtr object_;
  std::vector<Program> programs_;
  std::vector<LinkPtr> links_;
  LinkPtr task_iterator_;
  int possible_cpus_;
  Mapping counters_;
  Mapping targets_;
};

#endif  // ADDON_PAGE_CACHE_PROBE_H_
