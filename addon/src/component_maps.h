// What the programs know a file's component by: names of files, directories of the targets, and the
// files that were there before any event showed them.
#ifndef ADDON_COMPONENT_MAPS_H_
#define ADDON_COMPONENT_MAPS_H_

#include <bpf/libbpf.h>

#include <cstdint>
#include <string>
#include <vector>

#include "page_cache.h"

class ComponentMaps {
 public:
  // A rule of the `names` map: tag is one of NAME_IS_*.
  struct Name {
    char tag;
    std::string text;
    uint32_t kind;
  };

  struct Directory {
    uint64_t ino;
    // As the kernel encodes it: major << 20 | minor.
    uint32_t dev;
    // Component of its files of kind 0.
    uint16_t base;
    uint16_t identity;
  };

  // Of a loaded object, whose pinned maps may hold directories already; both live longer than this.
  ComponentMaps(const bpf_object* object, control* shared);

  // Kinds of files by their names. Throws BpfError.
  void SetNames(const std::vector<Name>& names);

  // Replaces the targets' directories; files of unknown component are looked at again. Throws
  // BpfError.
  void SetDirectories(const std::vector<Directory>& directories);

  // Remembers the component of a file of a directory before any event shows the file; the inode
  // number of the directory does not matter. False where its generation cannot be had.
  bool SeedFile(const std::string& path, const Directory& directory, uint16_t kind);

 private:
  int names_;
  int directories_;
  int inodes_;
  control* control_;
  // Those that the kernel has.
  std::vector<directory_key> known_;
};

#endif  // ADDON_COMPONENT_MAPS_H_
