// SPDX-License-Identifier: Apache-2.0
/*
 * Whether raw tracepoints run with preemption off on this kernel. Where they do not (7.0 and
 * later), a program that is preempted makes the same program on that CPU miss all events until it
 * goes on, and counts must be taken otherwise. Run once by user space on a read of its own. An
 * object of its own, because before 1.3 libbpf searches for a missing symbol in ways that need
 * CAP_SYS_ADMIN, and one of the two below always misses.
 */
#include "kernel_types.h"
#include "page_cache.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* In .bss, which user space maps. */
volatile struct self_test self_test;

#ifdef __TARGET_ARCH_arm64

/* arch/arm64/include/asm/thread_info.h: the count, and above it whether something waits. */
struct thread_info {
	u64 preempt_count;
} __attribute__((preserve_access_index));

struct task_struct___arm64 {
	struct thread_info thread_info;
} __attribute__((preserve_access_index));

static __always_inline int preempt_count(void)
{
	struct task_struct___arm64 *task = (void *)bpf_get_current_task();

	return (int)BPF_CORE_READ(task, thread_info.preempt_count);
}

#else

struct pcpu_hot {
	int preempt_count;
} __attribute__((preserve_access_index));

/* arch/x86/include/asm/preempt.h: in a per-CPU struct from 6.2 to 6.14, else a per-CPU variable. */
extern const int __preempt_count __ksym __weak;
extern const struct pcpu_hot pcpu_hot __ksym __weak;

/* The inverted bit that says that nothing waits to be scheduled (PREEMPT_NEED_RESCHED). */
#define PREEMPT_COUNT_MASK 0x7fffffff

/* -1 where it cannot be had. */
static __always_inline int preempt_count(void)
{
	if (&__preempt_count)
		return *(int *)bpf_this_cpu_ptr(&__preempt_count) & PREEMPT_COUNT_MASK;
	if (&pcpu_hot)
		return ((struct pcpu_hot *)bpf_this_cpu_ptr(&pcpu_hot))->preempt_count &
		       PREEMPT_COUNT_MASK;
	return -1;
}

#endif

SEC("tp_btf/mm_filemap_get_pages")
int self_test_preemption(u64 *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 != self_test.tgid)
		return 0;

	int count = preempt_count();

	self_test.result = count < 0 ? SELF_TEST_UNKNOWN : count ? SELF_TEST_OFF : SELF_TEST_ON;
	return 0;
}
