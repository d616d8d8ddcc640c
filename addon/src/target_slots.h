// The slots of struct control: which processes are counted. Programs take and free slots at the
// same time, so all access is atomic.
#ifndef ADDON_TARGET_SLOTS_H_
#define ADDON_TARGET_SLOTS_H_

#include <cstdint>
#include <vector>

#include "page_cache.h"

// Whether a process has a slot.
bool HoldsSlot(const control* c, uint32_t tgid);

// Gives slots to these processes and takes them from all others, but for those that a program has
// given one after `listed_ns` (monotonic), when the processes were listed.
void ReplaceSlots(control* c, const std::vector<uint32_t>& tgids, uint64_t listed_ns);

#endif  // ADDON_TARGET_SLOTS_H_
