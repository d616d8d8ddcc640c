// The one error of the addon: what was tried, on what, how the kernel answered, and what may help.
#ifndef ADDON_BPF_ERROR_H_
#define ADDON_BPF_ERROR_H_

#include <stdexcept>
#include <string>

class BpfError : public std::runtime_error {
 public:
  // `error` is a positive errno; `detail` the end of the verifier's or libbpf's log, or empty.
  BpfError(std::string operation, std::string object, int error, std::string detail = {});

  const std::string& operation() const { return operation_; }
  const std::string& object() const { return object_; }
  int error() const { return error_; }
  // "EPERM"
  const std::string& code() const { return code_; }
  // What to do about it; empty where the code says nothing typical.
  const std::string& hint() const { return hint_; }

 private:
  std::string operation_;
  std::string object_;
  int error_;
  std::string code_;
  std::string hint_;
};

// Collects what libbpf prints on this thread while it lives.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // The last lines that say something, joined by " | ".
  std::string Tail() const;

 private:
  std::string text_;
  // Logs nest: the inner one collects.
  std::string* outer_;
};

#endif  // ADDON_BPF_ERROR_H_
