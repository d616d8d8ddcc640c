#include "embedded_object.h"

#include <cerrno>
#include <string>

#include "bpf_error.h"
#include "fingerprint.h"

extern "C" {
extern const char page_cache_begin[];
extern const char page_cache_end[];
extern const char self_test_begin[];
extern const char self_test_end[];
}

namespace {

ObjectPtr Open(const char* name, const char* begin, const char* end) {
  LibbpfLog log;
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
  ObjectPtr object(bpf_object__open_mem(begin, static_cast<size_t>(end - begin), &options));
  if (!object) throw BpfError("open", std::string("BPF object ") + name, errno, log.Tail());
  return object;
}

}  // namespace

ObjectPtr OpenEmbeddedObject() { return Open("page_cache", page_cache_begin, page_cache_end); }

ObjectPtr OpenSelfTest() { return Open("self_test", self_test_begin, self_test_end); }

uint64_t EmbeddedObjectBuild() {
  Fingerprint print;
  print.Add(page_cache_begin, static_cast<size_t>(page_cache_end - page_cache_begin));
  return print.value();
}
