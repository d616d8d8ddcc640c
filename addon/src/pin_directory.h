// A directory of a BPF file system that holds what outlives this process: maps, programs and links.
// One process at a time has it; what is not of the names given here is somebody else's.
#ifndef ADDON_PIN_DIRECTORY_H_
#define ADDON_PIN_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bpf_error.h"
#include "handles.h"

class PinDirectory {
 public:
  // Makes the directory where it is missing, and locks it until the end of this object or process.
  // Throws BpfError: EBUSY where another process has it, EEXIST where it holds something foreign,
  // EOPNOTSUPP where the file system is none for BPF, else what the kernel answered.
  explicit PinDirectory(std::string path);

  const std::string& path() const { return path_; }

  // Names of the pins, sorted.
  std::vector<std::string> Names() const;

  // A descriptor of the pinned object; negative where there is none. Throws BpfError.
  Descriptor Open(const std::string& name) const;

  std::string PathOf(const std::string& name) const { return path_ + "/" + name; }

  // Throws BpfError.
  void Pin(int fd, const std::string& name) const;

  // What was pinned lives on as long as others hold it. Throws BpfError.
  void Remove(const std::string& name) const;

  // Removes all pins whose names begin so.
  void RemoveAll(const std::string& prefix) const;

  // Removes the directory itself, where it is empty.
  void RemoveDirectory() const;

 private:
  std::string path_;
  Descriptor lock_;
};

#endif  // ADDON_PIN_DIRECTORY_H_
