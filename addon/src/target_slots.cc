#include "target_slots.h"

#include <algorithm>
#include <cstddef>

namespace {

uint64_t FilterBit(uint32_t slot) { return uint64_t{1} << (slot & 63); }

// Recomputes what is derived from the slots. A program may take one meanwhile and set its bit,
// which the store would undo: so the slots are looked at once more afterwards.
void RenewFilter(control* c) {
  uint64_t filter = 0;
  uint32_t used = 0;
  for (uint32_t i = 0; i < TARGETS_MAX; i++) {
    const uint32_t slot = __atomic_load_n(&c->slot[i], __ATOMIC_ACQUIRE);
    if (slot == 0) continue;
    filter |= FilterBit(slot);
    used = i + 1;
  }
  __atomic_store_n(&c->slots_used, used, __ATOMIC_SEQ_CST);
  __atomic_store_n(&c->filter, filter, __ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < TARGETS_MAX; i++) {
    const uint32_t slot = __atomic_load_n(&c->slot[i], __ATOMIC_SEQ_CST);
    if (slot == 0) continue;
    __atomic_or_fetch(&c->filter, FilterBit(slot), __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&c->slots_used, __ATOMIC_SEQ_CST) <= i)
      __atomic_store_n(&c->slots_used, i + 1, __ATOMIC_SEQ_CST);
  }
}

}  // namespace

bool HoldsSlotSinceExec(const control* c, uint32_t tgid) {
  for (size_t i = 0; i < TARGETS_MAX; i++) {
    if (SLOT_TGID(__atomic_load_n(&c->slot[i], __ATOMIC_ACQUIRE)) == tgid)
      return __atomic_load_n(&c->taken_ns[i], __ATOMIC_RELAXED) != 0;
  }
  return false;
}

void ReplaceSlots(control* c, const std::vector<CountedProcess>& processes, uint64_t listed_ns) {
  std::vector<CountedProcess> missing = processes;
  for (size_t i = 0; i < TARGETS_MAX; i++) {
    uint32_t slot = __atomic_load_n(&c->slot[i], __ATOMIC_ACQUIRE);
    if (slot == 0) continue;
    const auto wanted = std::find_if(
        missing.begin(), missing.end(),
        [slot](const CountedProcess& process) { return process.tgid == SLOT_TGID(slot); });
    // It may have ended meanwhile, and the slot be another's: then it stays as it is.
    if (wanted != missing.end()) {
      __atomic_compare_exchange_n(&c->slot[i], &slot, SLOT_OF(wanted->tgid, wanted->identity),
                                  false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
      missing.erase(wanted);
    } else if (__atomic_load_n(&c->taken_ns[i], __ATOMIC_RELAXED) <= listed_ns) {
      __atomic_compare_exchange_n(&c->slot[i], &slot, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
  }
  for (size_t i = 0; i < TARGETS_MAX && !missing.empty(); i++) {
    uint32_t free = 0;
    // A program may take the slot at the same moment.
    const uint32_t taken = SLOT_OF(missing.back().tgid, missing.back().identity);
    if (!__atomic_compare_exchange_n(&c->slot[i], &free, taken, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
      continue;
    __atomic_store_n(&c->taken_ns[i], 0, __ATOMIC_RELAXED);
    missing.pop_back();
  }
  RenewFilter(c);
}
