#include "target_slots.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace {

// Recomputes where slots are found. A program may take one meanwhile and say where, which the store
// would undo: so the slots are looked at once more afterwards.
void RenewPlaces(control* c) {
  std::array<uint32_t, PLACES> places{};
  for (uint32_t i = 0; i < TARGETS_MAX; i++) {
    const uint32_t slot = __atomic_load_n(&c->slot[i], __ATOMIC_ACQUIRE);
    if (slot == 0) continue;
    uint32_t& place = places[PLACE_OF(SLOT_TGID(slot))];
    place = place == 0 ? i + 1 : PLACE_SHARED;
  }
  for (uint32_t i = 0; i < PLACES; i++) __atomic_store_n(&c->place[i], places[i], __ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < TARGETS_MAX; i++) {
    const uint32_t slot = __atomic_load_n(&c->slot[i], __ATOMIC_SEQ_CST);
    if (slot != 0 &&
        __atomic_load_n(&c->place[PLACE_OF(SLOT_TGID(slot))], __ATOMIC_SEQ_CST) != i + 1)
      __atomic_store_n(&c->place[PLACE_OF(SLOT_TGID(slot))], PLACE_SHARED, __ATOMIC_SEQ_CST);
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
  RenewPlaces(c);
}
