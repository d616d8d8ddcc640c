#include "process_memory.h"

#include <dlfcn.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace {

// A mapping as /proc/self/smaps has it (kernel: Documentation/filesystems/proc.rst).
struct FileMapping {
  uintptr_t begin = 0;
  uintptr_t end = 0;
  std::string file;
  bool read_only = false;
  // Pages that are not the file's any more, in memory or in swap: relocations, breakpoints.
  bool changed = false;
};

// The first line of a mapping; nothing where it is one of the lines about it.
std::optional<FileMapping> ParseHead(const std::string& line) {
  unsigned long begin = 0, end = 0;
  char permissions[5] = {};
  int path = 0;
  if (sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %*s %n", &begin, &end, permissions, &path) != 3)
    return std::nullopt;
  return FileMapping{begin, end, line.substr(static_cast<size_t>(path)),
                     permissions[1] == '-' && permissions[3] == 'p', false};
}

std::vector<FileMapping> Mappings() {
  std::vector<FileMapping> mappings;
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line; std::getline(smaps, line);) {
    unsigned long kilobytes = 0;
    if (auto head = ParseHead(line)) {
      mappings.push_back(std::move(*head));
    } else if (!mappings.empty() && (sscanf(line.c_str(), "Anonymous: %lu kB", &kilobytes) == 1 ||
                                     sscanf(line.c_str(), "Swap: %lu kB", &kilobytes) == 1)) {
      mappings.back().changed |= kilobytes != 0;
    }
  }
  return mappings;
}

std::string ProgramFile() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  return length > 0 ? std::string(path, static_cast<size_t>(length)) : std::string();
}

std::string AddonFile() {
  Dl_info info{};
  const bool found = dladdr(reinterpret_cast<void*>(&ReleaseProgramPages), &info) != 0;
  return found && info.dli_fname ? info.dli_fname : "";
}

}  // namespace

// glibc alone would keep it, and what the compiler threads of V8 free, since it raises its
// thresholds whenever a large block is freed; once set they stay (mallopt(3)).
void ReturnFreedMemory() {
#ifdef __GLIBC__
  mallopt(M_TRIM_THRESHOLD, 64 * 1024);
  malloc_trim(0);
#endif
}

void ReleaseProgramPages() {
  // No other file: the dynamic linker is done with these two, so nothing changes them meanwhile.
  const std::string program = ProgramFile(), addon = AddonFile();
  for (const FileMapping& mapping : Mappings()) {
    if (mapping.file.empty() || (mapping.file != program && mapping.file != addon)) continue;
    if (!mapping.read_only || mapping.changed) continue;
    // Where it is refused, the pages stay, and nothing else is the worse for it.
    madvise(reinterpret_cast<void*>(mapping.begin), mapping.end - mapping.begin, MADV_DONTNEED);
  }
}
