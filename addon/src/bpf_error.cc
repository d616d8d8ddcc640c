#include "bpf_error.h"

#include <bpf/libbpf.h>
#include <string.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <vector>

namespace {

// A verifier log can be megabytes long; its end names the cause.
constexpr size_t kLogBytes = 8192;
constexpr size_t kTailLines = 3;

thread_local std::string* active_log = nullptr;

int Collect(libbpf_print_level level, const char* format, va_list args) {
  if (active_log == nullptr || level == LIBBPF_DEBUG) return 0;
  char line[kLogBytes];
  const int length = vsnprintf(line, sizeof(line), format, args);
  if (length <= 0) return 0;
  active_log->append(line);
  if (active_log->size() > kLogBytes) active_log->erase(0, active_log->size() - kLogBytes);
  return length;
}

#ifdef __GLIBC__
const char* ErrorName(int error) { return strerrorname_np(error); }
#else
// musl has no such function: those that somebody compares with, or that bpf(2) documents.
struct NamedError {
  int error;
  const char* name;
};
constexpr NamedError kNamedErrors[] = {
    {E2BIG, "E2BIG"},   {EACCES, "EACCES"}, {EAGAIN, "EAGAIN"},   {EBUSY, "EBUSY"},
    {EEXIST, "EEXIST"}, {EFAULT, "EFAULT"}, {EINVAL, "EINVAL"},   {ENOENT, "ENOENT"},
    {ENOMEM, "ENOMEM"}, {ENOSPC, "ENOSPC"}, {ENOTSUP, "ENOTSUP"}, {EPERM, "EPERM"},
    {ESRCH, "ESRCH"},
};

const char* ErrorName(int error) {
  for (const NamedError& named : kNamedErrors) {
    if (named.error == error) return named.name;
  }
  return nullptr;
}
#endif

std::string CodeName(int error) {
  const char* name = ErrorName(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

std::string HintFor(int error) {
  switch (error) {
    case EPERM:
      return "needs CAP_BPF and CAP_PERFMON, and a kernel that does not forbid this kind of "
             "program";
    case EACCES:
      return "needs CAP_BPF and CAP_PERFMON; a verifier log that follows names another cause";
    case ENOENT:
    case ESRCH:
      return "this kernel does not have it";
    default:
      return {};
  }
}

std::string Message(const std::string& operation, const std::string& object, int error,
                    const std::string& detail) {
  std::string text =
      operation + " " + object + " failed: " + CodeName(error) + " (" + strerror(error) + ")";
  const std::string hint = HintFor(error);
  if (!hint.empty()) text += ": " + hint;
  if (!detail.empty()) text += " [" + detail + "]";
  return text;
}

}  // namespace

BpfError::BpfError(std::string operation, std::string object, int error, std::string detail)
    : std::runtime_error(Message(operation, object, error, detail)),
      operation_(std::move(operation)),
      object_(std::move(object)),
      error_(error),
      code_(CodeName(error)),
      hint_(HintFor(error)) {}

LibbpfLog::LibbpfLog() : outer_(active_log) {
  libbpf_set_print(Collect);
  active_log = &text_;
}

LibbpfLog::~LibbpfLog() { active_log = outer_; }

std::string LibbpfLog::Tail() const {
  std::vector<std::string> lines;
  size_t begin = 0;
  while (begin < text_.size()) {
    size_t end = text_.find('\n', begin);
    if (end == std::string::npos) end = text_.size();
    std::string line = text_.substr(begin, end - begin);
    // Lines of the frame around the verifier's log, and its statistics.
    const bool noise =
        line.empty() || line.find("-- ") != std::string::npos || line.rfind("processed ", 0) == 0;
    if (!noise) lines.push_back(std::move(line));
    begin = end + 1;
  }
  std::string tail;
  for (size_t i = lines.size() > kTailLines ? lines.size() - kTailLines : 0; i < lines.size(); i++)
    tail += (tail.empty() ? "" : " | ") + lines[i];
  return tail;
}
