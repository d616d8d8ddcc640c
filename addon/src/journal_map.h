// The memory of the journal: one pinned array map with a header and two areas. Which area is valid
// is one word, which is switched by one store after the other area was written: so whenever this
// process dies, the old state is there or the new one. What is in the areas is not known here.
#ifndef ADDON_JOURNAL_MAP_H_
#define ADDON_JOURNAL_MAP_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "pin_directory.h"

// Of the pinned objects as a whole; what is 0 was never set.
struct JournalHeader {
  uint64_t magic;
  // Whether all maps were made; else their making was interrupted, and nothing was counted yet.
  uint64_t complete;
  // What the values in the maps mean, and which programs are attached.
  uint64_t layout;
  uint64_t build;
  // Of the kernel's life in which they were made.
  char boot_id[40];
  // Of the maps: the counters began at 0 with it.
  uint64_t incarnation;
  // Raised by one with each state; its lowest bit says which area. 0: there is none.
  uint64_t sequence;
};

class JournalMap {
 public:
  // Opens the journal of the directory, or makes it. Throws BpfError: EBADMSG where what is pinned
  // there is no journal, or one of another format.
  explicit JournalMap(const PinDirectory& pins);

  static constexpr size_t kAreaBytes = size_t{2} << 20;
  static constexpr size_t kPageBytes = 4096;
  static constexpr size_t kBytes = kPageBytes + 2 * kAreaBytes;

  const JournalHeader& header() const { return *static_cast<const JournalHeader*>(mapping_.get()); }

  // Forgets what was pinned; the states stay.
  void Begin();
  // All maps are there: what they mean, and which programs count. Fresh maps get an incarnation.
  void Complete(uint64_t layout, uint64_t build);

  // Memory of one of the two areas.
  uint8_t* Area(uint32_t area) const {
    return static_cast<uint8_t*>(mapping_.get()) + kPageBytes + area * kAreaBytes;
  }
  // Makes the area of this sequence number the valid one.
  void Switch(uint64_t sequence);

 private:
  JournalHeader* Header() { return static_cast<JournalHeader*>(mapping_.get()); }

  Mapping mapping_;
};

#endif  // ADDON_JOURNAL_MAP_H_
