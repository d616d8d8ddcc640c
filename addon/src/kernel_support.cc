#include "kernel_support.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>

#include "bpf_error.h"
#include "embedded_object.h"
#include "page_cache.h"

namespace {

struct BtfFreer {
  void operator()(btf* types) const { btf__free(types); }
};
using BtfPtr = std::unique_ptr<btf, BtfFreer>;

constexpr char kSelfTest[] = "self_test_preemption";

std::string AfterLastSlash(const std::string& section) {
  return section.substr(section.rfind('/') + 1);
}

std::string BeforeFirstSlash(const std::string& section) {
  return section.substr(0, section.find('/'));
}

// How the kernel's BTF describes what a section name of libbpf hooks: a typedef for each
// tracepoint, a function for each iterator and each function (kernel: include/trace/bpf_probe.h,
// include/linux/bpf.h).
struct BtfName {
  std::string name;
  unsigned int kind;
};

BtfName BtfNameOf(const std::string& section) {
  const std::string kind = BeforeFirstSlash(section);
  const std::string name = AfterLastSlash(section);
  if (kind == "tp_btf" || kind == "tracepoint") return {"btf_trace_" + name, BTF_KIND_TYPEDEF};
  if (kind == "iter") return {"bpf_iter_" + name, BTF_KIND_FUNC};
  return {name, BTF_KIND_FUNC};
}

bool FileExists(const char* path) { return access(path, F_OK) == 0; }

// Loads and attaches the program alone, and takes it away again: the only sure answer for
// trampolines, which some kernels know and refuse.
HookFact TryHook(HookFact fact) {
  LibbpfLog log;
  const ObjectPtr object = OpenEmbeddedObject();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    bpf_program__set_autoload(program, fact.program == bpf_program__name(program));
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (bpf_map__type(map) == BPF_MAP_TYPE_TASK_STORAGE &&
        libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, nullptr) != 1)
      bpf_map__set_autocreate(map, false);
  }
  const bool loaded = bpf_object__load(object.get()) == 0;
  const LinkPtr link(loaded ? bpf_program__attach(bpf_object__find_program_by_name(
                                  object.get(), fact.program.c_str()))
                            : nullptr);
  if (link) {
    fact.exists = Answer::kYes;
    return fact;
  }
  const BpfError error(loaded ? "attach" : "load",
                       "program " + fact.program + " (" + fact.hook + ")", errno, log.Tail());
  fact.exists = Answer::kNo;
  fact.reason = error.what();
  fact.refused = error.error() != ENOENT && error.error() != ESRCH;
  return fact;
}

HookFact AskForHook(const btf* types, const bpf_program* program) {
  const std::string section = bpf_program__section_name(program);
  HookFact fact{bpf_program__name(program), section, Answer::kUnknown, {}};
  if (types == nullptr) {
    fact.reason = "no BTF of the kernel";
    return fact;
  }
  const BtfName wanted = BtfNameOf(section);
  const int id = btf__find_by_name_kind(types, wanted.name.c_str(), wanted.kind);
  fact.exists = id > 0 ? Answer::kYes : id == -ENOENT ? Answer::kNo : Answer::kUnknown;
  if (id <= 0) fact.reason = "the kernel's BTF has no " + wanted.name;
  return fact;
}

// A classic tracepoint is attached by a number that only tracefs tells.
HookFact AskTracefs(HookFact fact) {
  const std::string event = fact.hook.substr(fact.hook.find('/'));
  for (const char* root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    if (access((std::string(root) + "/events" + event + "/id").c_str(), R_OK) == 0) return fact;
  }
  fact.exists = Answer::kNo;
  fact.reason =
      "tracefs is not mounted, or not readable (CAP_DAC_READ_SEARCH): mount -t tracefs tracefs "
      "/sys/kernel/tracing";
  fact.refused = true;
  return fact;
}

// Hooks whose existence says too little are tried.
HookFact ExamineHook(const btf* types, const bpf_program* program) {
  HookFact fact = AskForHook(types, program);
  if (fact.exists == Answer::kNo) return fact;
  const std::string kind = BeforeFirstSlash(fact.hook);
  const bool is_kprobe = kind == "kprobe" || kind == "kretprobe";
  if (is_kprobe && !FileExists("/sys/bus/event_source/devices/kprobe/type")) {
    fact.exists = Answer::kNo;
    fact.reason = "the kernel has no kprobes (CONFIG_KPROBES)";
    return fact;
  }
  if (kind == "tracepoint") return AskTracefs(fact);
  const bool tried = kind == "fexit" || kind == "fentry" || is_kprobe;
  return tried ? TryHook(fact) : fact;
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

// Reads a page of this program's own file, which fires the tracepoint of the self-test in this
// thread.
void ReadOwnFile() {
  const Descriptor file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  char byte = 0;
  if (file.get() >= 0) static_cast<void>(pread(file.get(), &byte, 1, 0) == 1);
}

Answer AskForPreemption() {
  LibbpfLog log;
  const ObjectPtr object = OpenSelfTest();
  // On kernels without the tracepoint or the symbol the load fails, and the question stays open.
  if (bpf_object__load(object.get()) != 0) return Answer::kUnknown;
  const bpf_map* bss = bpf_object__find_map_by_name(object.get(), ".bss");
  void* address =
      mmap(nullptr, sizeof(self_test), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(bss), 0);
  if (address == MAP_FAILED) return Answer::kUnknown;
  const Mapping mapping(address, sizeof(self_test));
  auto* shared = static_cast<volatile self_test*>(address);
  shared->tgid = static_cast<unsigned int>(getpid());
  const LinkPtr link(
      bpf_program__attach(bpf_object__find_program_by_name(object.get(), kSelfTest)));
  if (link) ReadOwnFile();
  switch (shared->result) {
    case SELF_TEST_ON:
      return Answer::kYes;
    case SELF_TEST_OFF:
      return Answer::kNo;
    default:
      return Answer::kUnknown;
  }
}

// The mode in parentheses: "none voluntary (full) lazy" (kernel: kernel/sched/debug.c,
// sched_dynamic_show).
std::string PreemptMode() {
  std::ifstream file("/sys/kernel/debug/sched/preempt");
  std::string word;
  while (file >> word) {
    if (word.size() > 2 && word.front() == '(' && word.back() == ')')
      return word.substr(1, word.size() - 2);
  }
  return {};
}

}  // namespace

KernelFacts ProbeKernel() {
  LibbpfLog log;
  utsname name{};
  uname(&name);
  KernelFacts facts{};
  facts.release = name.release;
  facts.version = name.version;
  facts.machine = name.machine;
  facts.possible_cpus = libbpf_num_possible_cpus();
  facts.page_bytes = sysconf(_SC_PAGESIZE);
  facts.permission = Answer::kUnknown;
  facts.preempt_mode = PreemptMode();
  facts.preemptible_raw_tracepoints = Answer::kUnknown;

  const BtfPtr types(btf__load_vmlinux_btf());
  facts.btf = types ? Answer::kYes : Answer::kNo;
  AskForPermission(&facts);
  const bool allowed = facts.permission != Answer::kNo;
  if (allowed) facts.preemptible_raw_tracepoints = AskForPreemption();
  const ObjectPtr object = OpenEmbeddedObject();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    facts.hooks.push_back(allowed ? ExamineHook(types.get(), program)
                                  : AskForHook(types.get(), program));
  }
  return facts;
}
