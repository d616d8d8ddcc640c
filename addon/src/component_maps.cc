#include "component_maps.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bpf_error.h"
#include "find_map.h"
#include "handles.h"

ComponentMaps::ComponentMaps(const bpf_object* object, control* shared)
    : names_(bpf_map__fd(FindMap(object, "names"))),
      directories_(bpf_map__fd(FindMap(object, "directories"))),
      inodes_(bpf_map__fd(FindMap(object, "inodes"))),
      control_(shared) {
  directory_key key{};
  for (bool first = true; bpf_map_get_next_key(directories_, first ? nullptr : &key, &key) == 0;
       first = false)
    known_.push_back(key);
}

void ComponentMaps::SetNames(const std::vector<Name>& names) {
  for (const Name& name : names) {
    name_key key{};
    key.text[0] = name.tag;
    // The programs cut a name in the same way: NAME_BYTES without the tag and the final zero.
    name.text.copy(key.text + 1, NAME_BYTES - 2);
    if (bpf_map_update_elem(names_, &key, &name.kind, BPF_ANY) != 0)
      throw BpfError("fill", "map names", errno);
  }
}

void ComponentMaps::SetDirectories(const std::vector<Directory>& directories) {
  std::vector<directory_key> keys;
  std::vector<uint32_t> devices;
  for (const Directory& directory : directories) {
    const directory_key key{directory.ino, directory.dev, 0};
    const directory_class value{directory.base, directory.identity};
    if (bpf_map_update_elem(directories_, &key, &value, BPF_ANY) != 0)
      throw BpfError("fill", "map directories", errno);
    keys.push_back(key);
    if (std::count(devices.begin(), devices.end(), key.dev) == 0) devices.push_back(key.dev);
  }
  for (const directory_key& old : known_) {
    const bool kept = std::any_of(keys.begin(), keys.end(), [&](const directory_key& key) {
      return key.ino == old.ino && key.dev == old.dev;
    });
    if (!kept) bpf_map_delete_elem(directories_, &old);
  }
  known_ = std::move(keys);

  if (devices.size() > DEVICES_MAX) throw BpfError("keep", "devices of the directories", E2BIG);
  std::copy(devices.begin(), devices.end(), control_->device);
  __atomic_store_n(&control_->device_count, static_cast<uint32_t>(devices.size()),
                   __ATOMIC_RELEASE);
  __atomic_add_fetch(&control_->epoch, 1, __ATOMIC_RELEASE);
}

bool ComponentMaps::SeedFile(const std::string& path, const Directory& directory, uint16_t kind) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) return false;
  // The kernel's i_generation (measured on ext4); file systems without it cannot be seeded.
  long generation = 0;
  if (ioctl(file.get(), FS_IOC_GETVERSION, &generation) != 0) return false;
  const inode_key key{status.st_ino, directory.dev, static_cast<uint32_t>(generation)};
  const inode_class value{static_cast<uint16_t>(directory.base + kind), 1,
                          static_cast<uint8_t>(directory.identity), 0};
  return bpf_map_update_elem(inodes_, &key, &value, BPF_NOEXIST) == 0;
}
