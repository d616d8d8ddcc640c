// Facts about the running kernel, without any decision: what there is to hook, and whether we may.
#ifndef ADDON_KERNEL_SUPPORT_H_
#define ADDON_KERNEL_SUPPORT_H_

#include <optional>
#include <string>
#include <vector>

// A question to the kernel may also remain without an answer.
enum class Answer { kYes, kNo, kUnknown };

struct HookFact {
  // Program of the BPF object, and what it hooks: "on_add", "tp_btf/mm_filemap_add_to_page_cache".
  std::string program;
  std::string hook;
  Answer exists;
  // Why not, or why unknown.
  std::string reason;
  // The kernel has it, and lets nobody hook it.
  bool refused = false;
};

struct KernelFacts {
  std::string release;
  // Its build, such as "#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-01)".
  std::string version;
  // As uname says: "x86_64".
  std::string machine;
  int possible_cpus;
  long page_bytes;
  Answer btf;
  // Whether a tracing program may be loaded; the reason names the missing capability.
  Answer permission;
  std::string permission_reason;
  // Whether programs on raw tracepoints can be preempted, and lose events then.
  Answer preemptible_raw_tracepoints;
  // none, voluntary, full or lazy; empty where it cannot be had.
  std::string preempt_mode;
  std::vector<HookFact> hooks;
};

// Never throws for what the kernel lacks; throws BpfError where the BPF object itself cannot be
// read.
KernelFacts ProbeKernel();

#endif  // ADDON_KERNEL_SUPPORT_H_
