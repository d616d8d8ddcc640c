#include "embedded_object.h"

#include <cerrno>

#include "bpf_error.h"

extern "C" {
extern const char bpf_object_begin[];
extern const char bpf_object_end[];
}

ObjectPtr OpenEmbeddedObject() {
  LibbpfLog log;
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "page_cache");
  const size_t bytes = static_cast<size_t>(bpf_object_end - bpf_object_begin);
  ObjectPtr object(bpf_object__open_mem(bpf_object_begin, bytes, &options));
  if (!object) throw BpfError("open", "BPF object page_cache", errno, log.Tail());
  return object;
}
