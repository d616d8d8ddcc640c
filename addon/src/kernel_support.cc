#include "kernel_support.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "bpf_error.h"
#include "embedded_object.h"

namespace {

struct BtfFreer {
  void operator()(btf* types) const { btf__free(types); }
};
using BtfPtr = std::unique_ptr<btf, BtfFreer>;

std::string AfterSlash(const std::string& section) { return section.substr(section.find('/') + 1); }

// The kernel describes what a program may hook by a type of its own: a typedef for each tracepoint,
// a function for each iterator (kernel: include/trace/bpf_probe.h, include/linux/bpf.h).
HookFact AskForHook(const btf* types, const bpf_program* program) {
  const std::string section = bpf_program__section_name(program);
  HookFact fact{bpf_program__name(program), section, Answer::kUnknown, {}};
  if (types == nullptr) {
    fact.reason = "no BTF of the kernel";
    return fact;
  }
  const bool iterator = section.rfind("iter/", 0) == 0;
  const std::string name = (iterator ? "bpf_iter_" : "btf_trace_") + AfterSlash(section);
  const int id =
      btf__find_by_name_kind(types, name.c_str(), iterator ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF);
  fact.exists = id > 0 ? Answer::kYes : id == -ENOENT ? Answer::kNo : Answer::kUnknown;
  if (id <= 0) fact.reason = "the kernel's BTF has no " + name;
  return fact;
}

// Loads the smallest program of a kind that needs the same two capabilities as ours.
void AskForPermission(KernelFacts* facts) {
  LibbpfLog log;
  const bpf_insn instructions[] = {
      {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  const Descriptor program(
      bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "permission", "GPL", instructions, 2, nullptr));
  if (program.get() >= 0) {
    facts->permission = Answer::kYes;
    return;
  }
  const BpfError error("load", "a trial program", errno, log.Tail());
  const bool denied = error.error() == EPERM || error.error() == EACCES;
  facts->permission = denied ? Answer::kNo : Answer::kUnknown;
  facts->permission_reason = error.what();
}

}  // namespace

KernelFacts ProbeKernel() {
  LibbpfLog log;
  utsname name{};
  uname(&name);
  KernelFacts facts{name.release,
                    name.machine,
                    libbpf_num_possible_cpus(),
                    sysconf(_SC_PAGESIZE),
                    Answer::kNo,
                    Answer::kUnknown,
                    {},
                    {}};

  const BtfPtr types(btf__load_vmlinux_btf());
  if (types) facts.btf = Answer::kYes;
  const ObjectPtr object = OpenEmbeddedObject();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    facts.hooks.push_back(AskForHook(types.get(), program));
  }
  AskForPermission(&facts);
  return facts;
}
