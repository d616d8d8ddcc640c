// What outlives this process: the pin directory with the maps, programs and links, and the journal.
#ifndef ADDON_PINS_H_
#define ADDON_PINS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "journal_map.h"
#include "pin_directory.h"

class Pins {
 public:
  // Locks the directory; makes it, and the journal in it, where there is none. Throws BpfError.
  explicit Pins(const std::string& path) : directory_(path), journal_(directory_) {}

  const PinDirectory& directory() const { return directory_; }
  JournalMap& journal() { return journal_; }
  const JournalMap& journal() const { return journal_; }

  // Names of pins.
  static std::string MapPin(const std::string& map) { return "map_" + map; }
  static std::string ProgramPin(const std::string& program, uint32_t generation) {
    return "prog_" + program + "_" + std::to_string(generation);
  }
  static std::string LinkPin(const std::string& program, uint32_t generation) {
    return "link_" + program + "_" + std::to_string(generation);
  }

  // The generation of programs that counts; 0 where there is none. Throws BpfError.
  uint32_t Generation() const;

  // Removes the programs of one generation.
  void RemovePrograms(uint32_t generation);
  // Removes all programs but these of one generation.
  void KeepPrograms(const std::vector<std::string>& programs, uint32_t generation);
  // Removes all programs but those of one generation.
  void RemoveOtherPrograms(uint32_t generation);

  // Ends the counting, whatever the layout of the maps; they stay. Throws BpfError.
  void EndCounting();

  // A pinned array, whatever its layout: its values one after the other; empty where there is none.
  // Throws BpfError.
  std::vector<uint8_t> ReadArray(const std::string& map) const;

  // Removes everything but the journal. Throws BpfError.
  void Clear();

  // Removes everything. Throws BpfError.
  void Unload();

 private:
  PinDirectory directory_;
  JournalMap journal_;
};

#endif  // ADDON_PINS_H_
