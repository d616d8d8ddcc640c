#include "target_slots.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace {

uint32_t SlotOf(uint32_t place) { return place & PLACE_SLOT; }

uint32_t Changed(uint32_t place, uint32_t slot) {
  return ((place & ~PLACE_SLOT) + PLACE_CHANGE) | slot;
}

// Recomputes where slots are found. A place that a program changes meanwhile stays as that has it,
// which is right for its own process; the processes that are found nowhere then share the place.
void RenewPlaces(control* c) {
  std::array<uint32_t, PLACES> before{};
  std::array<uint32_t, PLACES> wanted{};
  for (uint32_t i = 0; i < PLACES; i++) before[i] = __atomic_load_n(&c->place[i], __ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < TARGETS_MAX; i++) {
    const uint32_t slot = __atomic_load_n(&c->slot[i], __ATOMIC_SEQ_CST);
    if (slot == 0) continue;
    uint32_t& place = wanted[PLACE_OF(SLOT_TGID(slot))];
    place = place == 0 ? i + 1 : PLACE_SHARED;
  }
  for (uint32_t i = 0; i < PLACES; i++) {
    if (SlotOf(before[i]) == wanted[i]) continue;
    __atomic_compare_exchange_n(&c->place[i], &before[i], Changed(before[i], wanted[i]), false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }
  for (uint32_t i = 0; i < TARGETS_MAX; i++) {
    const uint32_t slot = __atomic_load_n(&c->slot[i], __ATOMIC_SEQ_CST);
    if (slot == 0) continue;
    uint32_t* place = &c->place[PLACE_OF(SLOT_TGID(slot))];
    const uint32_t now = __atomic_load_n(place, __ATOMIC_SEQ_CST);
    if (SlotOf(now) != i + 1 && SlotOf(now) != PLACE_SHARED)
      __atomic_store_n(place, Changed(now, PLACE_SHARED), __ATOMIC_SEQ_CST);
  }
}

}  // namespace

bool HoldsSlotSinceExec(const control* c, uint32_t tgid) {
  for (size_t i = 0; i < TARGETS_MAX; i++) {
    if (SLOT_TGID(__atomic_load_n(&c->slot[i], __ATOMIC_ACQUIRE)) == tgid)
      return __atomic_load_n(&c->taken_ns[i], __ATOMIC_RELAXED) != TAKEN_BY_USER_SPACE;
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
      continue;
    }
    uint64_t taken_ns = __atomic_load_n(&c->taken_ns[i], __ATOMIC_ACQUIRE);
    if (taken_ns == 0 || taken_ns > listed_ns) continue;
    // Not the time of a program that takes it right after.
    if (__atomic_compare_exchange_n(&c->slot[i], &slot, 0, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED))
      __atomic_compare_exchange_n(&c->taken_ns[i], &taken_ns, 0, false, __ATOMIC_ACQ_REL,
                                  __ATOMIC_RELAXED);
  }
  for (size_t i = 0; i < TARGETS_MAX && !missing.empty(); i++) {
    uint32_t free = 0;
    // A program may take the slot at the same moment.
    const uint32_t taken = SLOT_OF(missing.back().tgid, missing.back().identity);
    if (!__atomic_compare_exchange_n(&c->slot[i], &free, taken, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
      continue;
    __atomic_store_n(&c->taken_ns[i], TAKEN_BY_USER_SPACE, __ATOMIC_RELEASE);
    missing.pop_back();
  }
  RenewPlaces(c);
}
