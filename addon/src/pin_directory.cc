#include "pin_directory.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>

namespace {

constexpr const char* kOwnPrefixes[] = {"journal", "map_", "prog_", "link_"};

bool IsOwnName(const std::string& name) {
  return std::any_of(std::begin(kOwnPrefixes), std::end(kOwnPrefixes),
                     [&](const char* prefix) { return name.rfind(prefix, 0) == 0; });
}

std::string Quoted(const std::string& path) { return "pin directory " + path; }

void CheckFileSystem(const std::string& existing, const std::string& path) {
  struct statfs status {};
  if (statfs(existing.c_str(), &status) != 0) throw BpfError("examine", Quoted(path), errno);
  if (static_cast<uint64_t>(status.f_type) != BPF_FS_MAGIC)
    throw BpfError("use", Quoted(path), EOPNOTSUPP,
                   "it is not on a BPF file system; mount one: mount -t bpf bpf /sys/fs/bpf");
}

// Makes the directory and those above it, all of them on a BPF file system.
void MakeDirectory(const std::string& path) {
  size_t end = path.size();
  struct stat status {};
  while (end > 0 && stat(path.substr(0, end).c_str(), &status) != 0) {
    if (errno != ENOENT) throw BpfError("examine", Quoted(path), errno);
    end = path.rfind('/', end - 1);
    if (end == std::string::npos) end = 0;
  }
  CheckFileSystem(end > 0 ? path.substr(0, end) : "/", path);
  while (end < path.size()) {
    end = std::min(path.find('/', end + 1), path.size());
    if (mkdir(path.substr(0, end).c_str(), 0700) != 0 && errno != EEXIST)
      throw BpfError("make", Quoted(path), errno);
  }
}

// Who has the lock, by /proc/locks; 0 where that cannot be seen from here.
int HolderOf(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return 0;
  const std::string wanted = ":" + std::to_string(status.st_ino) + " ";
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    if (line.find(" FLOCK ") == std::string::npos || line.find(wanted) == std::string::npos)
      continue;
    const size_t begin = line.find("WRITE");
    return begin == std::string::npos ? 0 : std::atoi(line.c_str() + begin + 5);
  }
  return 0;
}

int OpenDirectory(const std::string& path) {
  MakeDirectory(path);
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw BpfError("open", Quoted(path), errno);
  return fd;
}

}  // namespace

PinDirectory::PinDirectory(std::string path) : path_(std::move(path)), lock_(OpenDirectory(path_)) {
  // By the directory, which all containers share that mount it; given back however its holder dies.
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw BpfError("lock", Quoted(path_), errno);
    const int pid = HolderOf(lock_.get());
    const std::string who = pid > 0 ? "pid " + std::to_string(pid) : std::string("another process");
    throw BpfError("lock", Quoted(path_), EBUSY,
                   who + " counts with these pins; stop it, or set another kernel.pin_path");
  }
  for (const std::string& name : Names()) {
    if (!IsOwnName(name))
      throw BpfError("use", Quoted(path_), EEXIST,
                     name +
                         " in it is not the sidecar's; nothing is removed: set another "
                         "kernel.pin_path, or remove it yourself");
  }
}

std::vector<std::string> PinDirectory::Names() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path_.c_str()), closedir);
  if (!directory) throw BpfError("list", Quoted(path_), errno);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Descriptor PinDirectory::Open(const std::string& name) const {
  Descriptor fd(bpf_obj_get(PathOf(name).c_str()));
  if (fd.get() < 0 && errno != ENOENT) throw BpfError("open", "pin " + PathOf(name), errno);
  return fd;
}

void PinDirectory::Pin(int fd, const std::string& name) const {
  if (bpf_obj_pin(fd, PathOf(name).c_str()) != 0) throw BpfError("pin", PathOf(name), errno);
}

void PinDirectory::Remove(const std::string& name) const {
  if (unlink(PathOf(name).c_str()) != 0 && errno != ENOENT)
    throw BpfError("remove", "pin " + PathOf(name), errno);
}

void PinDirectory::RemoveAll(const std::string& prefix) const {
  for (const std::string& name : Names()) {
    if (name.rfind(prefix, 0) == 0) Remove(name);
  }
}

void PinDirectory::RemoveDirectory() const {
  if (rmdir(path_.c_str()) != 0 && errno != ENOTEMPTY && errno != ENOENT)
    throw BpfError("remove", Quoted(path_), errno);
}
