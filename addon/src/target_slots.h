// The slots of struct control: which processes are counted, and under which identity. Programs take
// and free slots at the same time, so all access is atomic.
#ifndef ADDON_TARGET_SLOTS_H_
#define ADDON_TARGET_SLOTS_H_

#include <cstdint>
#include <vector>

#include "page_cache.h"

// Whether a program has given a slot to a process: at its execve.
bool HoldsSlotSinceExec(const control* c, uint32_t tgid);

// A slot as it is when a process is counted under an identity.
struct CountedProcess {
  uint32_t tgid;
  uint32_t identity;
};

// Gives slots to these processes and takes them from all others, but for those that a program has
// given one after `listed_ns` (monotonic), when the processes were listed.
void ReplaceSlots(control* c, const std::vector<CountedProcess>& processes, uint64_t listed_ns);

#endif  // ADDON_TARGET_SLOTS_H_
